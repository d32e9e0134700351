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

/// What the record of an input keeps: `files` and `bytes` are how much less there is at its path.
pub(crate) fn left_out(
    reference: &Reference,
    report: &Report,
    (files, bytes): (i64, i64),
) -> LeftOut {
    let lies_in = |path: &String| {
        reference.path().is_none_or(|folder| {
            let rest = path.strip_prefix(folder);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    };
    let paths = report
        .findings
        .iter()
        .filter_map(|found| found.path.clone())
        .filter(lies_in);
    LeftOut {
        files,
        bytes,
        paths: paths.take(KEPT).collect(),
    }
}

fn refusal(reference: &Reference, report: &Report) -> Error {
    let paths: Vec<String> = report
        .findings
        .iter()
        .filter_map(|found| found.path.as_ref())
        .map(|path| format!("{path:?}"))
        .collect();
    let again = match reference {
        Reference::Version { .. } => {
            "send the same files again, and let `cairn data verify … --full` look at it".to_owned()
        }
        Reference::Outputs { .. } => "run the job again".to_owned(),
    };
    if report.is_broken {
        return cannot(
            reference,
            &format!(
                "the list of its files is damaged, so that nothing of it can be read: {again}"
            ),
        );
    }
    if paths.is_empty() {
        let why = "files of it were missing or damaged; all are there again, and a full check (`cairn data verify … --full`) says whether they are \
             whole. To use it before that, allow it with `--allow-damaged` (`allow_damaged` in the API)";
        return cannot(reference, why);
    }
    let count = paths.len() as u64 + report.more;
    let named = paths[..paths.len().min(NAMED)].join(", ");
    let more = count.saturating_sub(NAMED as u64);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let (files, are) = if count == 1 {
        ("file", "is")
    } else {
        ("files", "are")
    };
    cannot(
        reference,
        &format!(
            "{count} {files} of it {are} missing or damaged: {named}{more}. Either {again}; or allow it as it is with `--allow-damaged` \
             (`allow_damaged` in the API): they are left out then, and the record says so"
        ),
    )
}
