//! `lookout export FILE`: the whole store into a file that is gone on with where an earlier export broke off.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Seek, SeekFrom, Write},
    path::Path,
};

use super::{is_stream, progress::Shown};
use crate::{
    config::{Config, StoreKind},
    store::{
        StoreError,
        embedded::EmbeddedSource,
        mongo::MongoSource,
        transfer::{self, Begun, Source, Standing, Tally, TransferError},
    },
};

/// Exports the configured store, which no server may use. `-` is standard output, which cannot be gone on with.
pub async fn export(config: &Config, file: &Path) -> Result<Tally, TransferError> {
    let mut source = open(config).await?;
    let header = source.header().await?;
    let mut shown = Shown::new("exported");
    let mut report = |progress| shown.report(progress);
    let tally = if is_stream(file) {
        let mut out = BufWriter::new(io::stdout());
        transfer::export(&mut *source, &header, Begun::default(), &mut out, &mut report).await?
    } else {
        let file =
            File::options().read(true).write(true).create(true).truncate(false).open(file).map_err(TransferError::Write)?;
        match transfer::standing(BufReader::new(&file), &header)? {
            Standing::Whole(tally) => tally,
            Standing::Begun(begun) => {
                let mut out = BufWriter::new(cut(&file, begun.bytes()).map_err(TransferError::Write)?);
                let tally = transfer::export(&mut *source, &header, begun, &mut out, &mut report).await?;
                // It is whole only when it is on disk: the store that it came from may be deleted next.
                drop(out);
                file.sync_all().map_err(TransferError::Write)?;
                tally
            }
        }
    };
    shown.end(&tally);
    Ok(tally)
}

async fn open(config: &Config) -> Result<Box<dyn Source>, StoreError> {
    Ok(match config.store.kind {
        StoreKind::Embedded => Box::new(EmbeddedSource::open(&config.store.path)?),
        StoreKind::MongoDb => Box::new(MongoSource::open(&config.store, &config.cluster).await?),
    })
}

/// Cuts off what is not whole, to be written on behind what is.
fn cut(mut file: &File, bytes: u64) -> io::Result<impl Write> {
    file.set_len(bytes)?;
    file.seek(SeekFrom::Start(bytes))?;
    Ok(file)
}
