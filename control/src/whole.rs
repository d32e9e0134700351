//! Whether what an input refers to is whole; and what is left of it for those who take it damaged.

use storage::{
    fsck::{self, Integrity, Mode, Report},
    ids::ProjectId,
    manifest::{Clash, Part, compose},
    objects::Hash,
    workspaces::LeftOut,
};

use crate::{Control, Error, Result, inputs::cannot, reference::Reference};

/// How many damaged files an error names.
const NAMED: usize = 5;
/// How many the record of an input names.
const KEPT: usize = 100;

impl Control {
    /// Whether checks have found a manifest damaged.
    pub(crate) async fn is_damaged(&self, manifest_digest: &Hash) -> Result<bool> {
        let verdict = fsck::verdict(self.db(), manifest_digest).await?;
        Ok(verdict.is_some_and(|verdict| verdict.integrity != Integrity::Ok))
    }

    /// What is damaged of a manifest, as far as checks have found it so; none where it is whole for all that is known.
    pub(crate) async fn damage_of(&self, manifest_digest: &Hash) -> Result<Option<Report>> {
        if !self.is_damaged(manifest_digest).await? {
            return Ok(None);
        }
        // What was found damaged was put aside, so that it is missing now.
        let _turn = self.checks().quick().await?;
        let report = fsck::verify(self.store(), *manifest_digest, Mode::Quick).await?;
        Ok(Some(report))
    }

    /// Sees that a manifest is whole, for all that is known.
    ///
    /// # Errors
    /// `Invalid`, which names the reference and the damaged files, and says what to do.
    pub(crate) async fn check_whole(
        &self,
        reference: &Reference,
        manifest_digest: &Hash,
    ) -> Result<()> {
        match self.damage_of(manifest_digest).await? {
            Some(report) => Err(refusal(reference, &report)),
            None => Ok(()),
        }
    }

    /// The manifest of what is left without what is damaged; the same one where nothing is missing any more.
    ///
    /// # Errors
    /// `Invalid` where the list of files is damaged: then nothing is left.
    pub(crate) async fn without(
        &self,
        project_id: ProjectId,
        reference: &Reference,
        (manifest_digest, report): (Hash, &Report),
    ) -> Result<Hash> {
        if report.is_broken {
            return Err(refusal(reference, report));
        }
        if report.faulty.is_empty() {
            return Ok(manifest_digest);
        }
        let part = Part {
            without: report.faulty.clone(),
            ..Part::whole(manifest_digest)
        };
        let pending = compose(self.store(), project_id, vec![part], Clash::Refuse).await?;
        // On record from here on: whoever uses it holds it; where nobody does it is collected in days.
        let made = pending.commit(self.store()).await?;
        Ok(made.summary.manifest_digest)
    }
}

/// What the record of an input keeps: `files` and `bytes` are how much less there is at its path. None where the path lacks nothing.
pub(crate) fn left_out(
    reference: &Reference,
    report: &Report,
    (files, bytes): (i64, i64),
) -> Option<LeftOut> {
    // Where all is there again, it is kept that no check has said yet that it is whole.
    (files > 0 || report.faulty.is_empty()).then(|| LeftOut {
        files,
        bytes,
        paths: lost(reference, report)
            .take(KEPT)
            .map(str::to_owned)
            .collect(),
    })
}

/// The damaged files at the path of a reference.
fn lost<'a>(reference: &'a Reference, report: &'a Report) -> impl Iterator<Item = &'a str> {
    let lies_in = move |path: &&str| {
        reference.path().is_none_or(|folder| {
            let rest = path.strip_prefix(folder);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    let paths = report
        .findings
        .iter()
        .filter_map(|found| found.path.as_deref());
    paths.filter(lies_in)
}

/// Why what is damaged cannot be used, and what to do.
fn refusal(reference: &Reference, report: &Report) -> Error {
    let again = again(reference);
    let lost: Vec<&str> = lost(reference, report).collect();
    let why = if report.is_broken {
        format!("the list of its files is damaged, so that nothing of it can be read: {again}")
    } else if report.is_sound() {
        format!(
            "files of it were missing or damaged; all are there again, and a full check (`cairn data verify … --full`) says whether they are \
             whole. To use it before that, {ALLOW}"
        )
    } else if reference.path().is_some_and(|path| lost.contains(&path)) {
        format!("it is missing or damaged itself: {again}")
    } else if lost.is_empty() && report.more == 0 {
        format!(
            "none of its files, but others beside them are missing or damaged. Either {again}; or {ALLOW}: nothing of it is left out"
        )
    } else {
        format!(
            "{}. Either {again}; or {ALLOW}: they are left out then, and the record says so",
            count(&lost, report.more)
        )
    };
    cannot(reference, &why)
}

/// Why what is damaged cannot be used although that is allowed: nothing of it is whole.
pub(crate) fn nothing_left(reference: &Reference) -> Error {
    let again = again(reference);
    cannot(
        reference,
        &format!("all of it is missing or damaged, so that nothing is left without that: {again}"),
    )
}

/// What brings it back.
fn again(reference: &Reference) -> &'static str {
    match reference {
        Reference::Version { .. } => {
            "send the same files again, and let `cairn data verify … --full` look at it"
        }
        Reference::Outputs { .. } => "run the job again",
    }
}

/// How it is allowed.
const ALLOW: &str = "allow it as it is with `--allow-damaged` (`allow_damaged` in the API)";

/// How many files are damaged, and the first of them.
fn count(lost: &[&str], more: u64) -> String {
    let all = lost.len() as u64 + more;
    let (files, are) = if all == 1 {
        ("file", "is")
    } else {
        ("files", "are")
    };
    let named: Vec<String> = lost
        .iter()
        .take(NAMED)
        .map(|path| format!("{path:?}"))
        .collect();
    let rest = match all - named.len() as u64 {
        0 => String::new(),
        rest => format!(" and {rest} more"),
    };
    let named = named.join(", ");
    format!("{all} {files} of it {are} missing or damaged: {named}{rest}")
}
