//! What screening says about a vessel: the `screening_results` of the wire, in the order in which it is written.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Timestamp;

/// How bad a finding is. The order is that of the derive: `OK < UNKNOWN < WARNING < CRITICAL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Severity {
    /// Looked up by a valid IMO number in a fresh list, and not found.
    Ok,
    /// Not screened, or not screened well enough to say OK.
    Unknown,
    /// Possible or minor.
    Warning,
    /// Sanctioned by number.
    Critical,
    /// Still open; only ever the overall severity of a result whose status is `pending`.
    Pending,
}

impl Severity {
    /// As on the wire.
    pub fn label(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Unknown => "UNKNOWN",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Pending => "PENDING",
        }
    }
}

/// Where a screening stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The provider answered.
    Done,
    /// Not answered yet; a `screening_update` follows.
    Pending,
    /// Asked for, and left out on purpose: `reason` says why.
    Skipped,
    /// The provider failed until `screening.give_up_after`.
    Failed,
    /// The provider did not answer until `screening.give_up_after`.
    TimedOut,
}

impl Status {
    /// As on the wire.
    pub fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Pending => "pending",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
        }
    }
}

/// A list that was looked into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ListInfo {
    /// The list's name: its file name without the extension.
    pub id: String,
    /// Changes whenever the list's content does: the first 12 hex digits of the content's SHA-256.
    pub version: String,
    /// When this version was read, RFC 3339.
    #[schema(format = DateTime)]
    pub loaded_at: String,
    /// How many rows it holds.
    pub entries: u64,
}

/// One row of a list, or one entity of a service, that the vessel matched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Hit {
    /// The list's id.
    pub list: String,
    /// The entity's id within its list.
    pub entity_id: String,
    /// The entity's name.
    pub name: String,
    /// `imo`, `mmsi`, `call_sign` or `name`.
    pub matched_on: String,
    /// 0 to 1; 1 is an exact identifier.
    pub score: f64,
    /// Why it is listed: `sanction`, `mare.detained`, …
    pub topics: Vec<String>,
    /// The sanction programmes or data sets.
    pub programs: Vec<String>,
    /// Where to read more.
    #[schema(required)]
    pub url: Option<String>,
}

/// The whole result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScreeningResults {
    /// Where it stands.
    pub status: Status,
    /// Why it is not a plain answer, in snake_case: `no_list`, `stale_list`, `vessel_type`, …
    #[schema(required)]
    pub reason: Option<String>,
    /// The worst of all, UNKNOWN where nothing could be said.
    pub overall_severity: Severity,
    /// The ship itself is listed. Null: not checked.
    #[schema(required)]
    pub ship_sanctions: Option<Severity>,
    /// Its owner or manager is listed. Null: not checked.
    #[schema(required)]
    pub company_sanctions: Option<Severity>,
    /// Its flag is listed. Null: not checked.
    #[schema(required)]
    pub country_sanctions: Option<Severity>,
    /// Where it has been. Null: not checked.
    #[schema(required)]
    pub ship_movement: Option<Severity>,
    /// Port state control. Null: not checked.
    #[schema(required)]
    pub psc: Option<Severity>,
    /// The provider's own number for this screening.
    #[schema(required)]
    pub transaction_id: Option<String>,
    /// `list`, `none`, …
    pub provider: String,
    /// When screening began, RFC 3339.
    #[schema(required, format = DateTime)]
    pub started_at: Option<String>,
    /// When it ended, RFC 3339; null while pending.
    #[schema(required, format = DateTime)]
    pub completed_at: Option<String>,
    /// The lists that were looked into.
    pub lists: Vec<ListInfo>,
    /// What matched.
    pub hits: Vec<Hit>,
}

impl ScreeningResults {
    /// A result that says nothing about the vessel: UNKNOWN (PENDING while open), every check null.
    pub fn open_ended(
        status: Status,
        reason: Option<&str>,
        provider: &str,
        started_at: Timestamp,
        completed_at: Option<Timestamp>,
    ) -> Self {
        Self {
            status,
            reason: reason.map(str::to_owned),
            overall_severity: if status == Status::Pending { Severity::Pending } else { Severity::Unknown },
            ship_sanctions: None,
            company_sanctions: None,
            country_sanctions: None,
            ship_movement: None,
            psc: None,
            transaction_id: None,
            provider: provider.to_owned(),
            started_at: Some(super::rfc3339(started_at)),
            completed_at: completed_at.map(super::rfc3339),
            lists: Vec::new(),
            hits: Vec::new(),
        }
    }
}
