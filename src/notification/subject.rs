//! The vessel as screening sees it: what identifies it, in normal form, and what it was called.

use serde::{Deserialize, Serialize};

/// Who is to be screened. Taken from the notification at ingest and kept with it until the screening is settled.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// A valid IMO ship number, seven digits.
    pub imo: Option<String>,
    /// What stood in the IMO field where it was not a valid number: lists hold faulty numbers too, so it is matched as it is.
    pub imo_as_sent: Option<String>,
    /// A ship's MMSI, nine digits.
    pub mmsi: Option<String>,
    /// Upper case, letters and digits only.
    pub call_sign: Option<String>,
    /// As sent.
    pub name: Option<String>,
    /// As sent: a country's name or code.
    pub flag: Option<String>,
    /// As sent.
    pub vessel_type: Option<String>,
}
