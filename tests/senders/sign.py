"""Signs standard input as a sender does: sign.py FOLDER SDK SECRET ID SECONDS, where FOLDER holds the packages."""

import importlib.util
import os
import sys
from datetime import datetime, timezone

folder, sdk, secret, message_id, seconds = sys.argv[1:]
sys.path.insert(0, folder)
# The module alone: the package around it would bring an HTTP client along, which signing has no use for.
path = os.path.join(folder, sdk, "webhooks.py")
spec = importlib.util.spec_from_file_location("sdk", path)
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
timestamp = datetime.fromtimestamp(int(seconds), tz=timezone.utc)
body = sys.stdin.buffer.read().decode()
print(module.Webhook(secret).sign(message_id, timestamp, body))
