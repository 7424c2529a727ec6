//! The custom reference: the text with which a subscription says whose its notifications are.
//!
//! Who sees a notification and whether its vessel is screened hang on this one field, so its rule stands alone.

use serde_json::Value;

/// What a `<user id>|<auto_screen>` text says. The default is what every other value says: nobody, no screening.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomReference {
    /// The user that it names.
    pub owner: Option<String>,
    /// Whether screening is asked for; never without an owner.
    pub auto_screen: bool,
}

impl CustomReference {
    /// Reads the field as it was sent. Only a text can name somebody: a number or null is nobody, as is a text without a pipe.
    pub fn read(value: &Value) -> Self {
        value.as_str().map(Self::of_text).unwrap_or_default()
    }

    /// The last pipe splits, since user ids may hold pipes and the flag cannot.
    fn of_text(text: &str) -> Self {
        match text.rsplit_once('|').map(|(owner, flag)| (owner.trim(), flag.trim())) {
            None | Some(("", _)) => Self::default(),
            Some((owner, flag)) => Self { owner: Some(owner.to_owned()), auto_screen: flag.eq_ignore_ascii_case("true") },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn owner_and_flag_follow_the_table() {
        for (sent, owner, auto_screen) in [
            (json!("test_user|true"), Some("test_user"), true),
            (json!(" analyst-07 | TRUE "), Some("analyst-07"), true),
            (json!("analyst-07|True"), Some("analyst-07"), true),
            (json!("analyst-07|false"), Some("analyst-07"), false),
            (json!("analyst-07|"), Some("analyst-07"), false),
            (json!("analyst-07|yes"), Some("analyst-07"), false),
            (json!("analyst-07|1"), Some("analyst-07"), false),
            (json!("team|eu|ops|true"), Some("team|eu|ops"), true),
            (json!("analyst-07|true|extra"), Some("analyst-07|true"), false),
            (json!("аналитик-07|true"), Some("аналитик-07"), true),
            (json!("|true"), None, false),
            (json!("  |true"), None, false),
            (json!("RTM_1"), None, false),
            (json!(""), None, false),
            (json!(null), None, false),
            (json!(42), None, false),
            (json!(["a|true"]), None, false),
        ] {
            let expected = CustomReference { owner: owner.map(str::to_owned), auto_screen };
            assert_eq!(CustomReference::read(&sent), expected, "{sent}");
        }
    }

    proptest! {
        #[test]
        fn any_trimmed_user_id_comes_back_whole(owner in "[^\\s].{0,20}[^\\s]") {
            let read = CustomReference::read(&json!(format!("{owner}|true")));
            prop_assert_eq!(read, CustomReference { owner: Some(owner), auto_screen: true });
        }
    }
}
