import Federation
import Settings

/// An entry's kind and fields as text.
enum EntryText {
    static func describe(_ entry: Entry) -> (kind: String, fields: [(String, String)]) {
        switch entry.body {
        case .founded(let genesis):
            return (
                "founded",
                [
                    ("consortium", genesis.consortium), ("ca", genesis.authority.hex),
                    ("log key", hexadecimal(genesis.logKey)),
                ]
            )
        case .modelRegistered(let name, let model, let by):
            let asker = by.isEmpty ? [] : [("by", by)]
            return (
                "model registered",
                asker + [
                    ("name", name.text), ("model", model.digest.hex), ("layout", model.layout.hex),
                    ("bytes", "\(model.byteCount)"),
                ]
            )
        case .campaignOpened(let plan, let by):
            return ("campaign opened", [("by", by)] + fields(of: plan))
        case .roundOpened(let opening):
            return (
                "round opened",
                [
                    ("round", "\(opening.key)"), ("cohort", list(opening.cohort)), ("model", opening.model.hex),
                    ("adapter", opening.adapter?.hex ?? "none"), ("server state", opening.serverState?.hex ?? "none"),
                    ("deadline", Format.time(opening.deadline)),
                ]
            )
        case .updateAccepted(let accepted):
            let manifest = accepted.update.manifest
            return (
                "update accepted",
                [
                    ("site", "\(manifest.site)"), ("round", "\(manifest.key)"), ("update", manifest.update.hex),
                    ("bytes", "\(manifest.updateByteCount)"), ("from model", manifest.model.hex),
                    ("from adapter", manifest.adapter?.hex ?? "none"), ("samples", "\(manifest.samples)"),
                    ("weight", "\(accepted.weight)"), ("norm", "\(accepted.norm)"),
                    ("local loss", "\(manifest.localLoss)"),
                ]
            )
        case .updateRefused(let refused):
            return (
                "update refused",
                [
                    ("site", "\(refused.site)"), ("round", "\(refused.key)"), ("update", refused.digest?.hex ?? "none"),
                    ("reason", refused.refusal.reason.rawValue), ("detail", refused.refusal.detail),
                ]
            )
        case .roundClosed(let key): return ("round closed", [("round", "\(key)")])
        case .roundCommitted(let commit):
            return (
                "round committed",
                [
                    ("round", "\(commit.key)"), ("model", commit.result.model.hex),
                    ("adapter", commit.result.adapter?.digest.hex ?? "none"),
                    ("server state", commit.result.serverState?.hex ?? "none"),
                    ("scale", "2^-\(commit.scaleBits)"), ("weight", "\(commit.totalWeight)"),
                ]
            )
        case .roundExtended(let extended):
            return (
                "round extended",
                [
                    ("round", "\(extended.key)"), ("deadline", Format.time(extended.deadline)),
                    ("reason", extended.reason),
                ]
            )
        case .roundAbandoned(let abandonment):
            let without = abandonment.without.isEmpty ? [] : [("without", list(abandonment.without))]
            return ("round abandoned", [("round", "\(abandonment.key)"), ("reason", abandonment.reason)] + without)
        case .updatesPruned(let pruning):
            return (
                "updates pruned",
                [
                    ("campaign", pruning.campaign.text), ("through round", "\(pruning.throughRound)"),
                    ("by", pruning.prunedBy),
                ]
            )
        case .campaignEnded(let end):
            return (
                "campaign ended",
                [
                    ("campaign", end.campaign.text), ("completed", "\(end.completed)"), ("reason", end.reason),
                    ("model", end.model.hex),
                ]
            )
        case .releaseCut(let cutting):
            return (
                "release cut",
                [
                    ("release", cutting.name.text), ("campaign", cutting.campaign.text),
                    ("round", cutting.round.map(String.init) ?? "the last"),
                    ("model", cutting.model.digest.hex), ("by", cutting.cutBy),
                ]
            )
        case .campaignChanged(let change):
            let fields = [("campaign", change.campaign.text), ("by", change.changedBy), ("reason", change.reason)]
            return ("campaign \(past(change.action))", fields + amendment(change.action))
        case .clockCorrected(let correction):
            return ("clock corrected", [("by", correction.correctedBy), ("reason", correction.reason)])
        case .lossDeclared(let loss):
            return (
                "loss declared",
                [
                    ("by", loss.declaredBy), ("reason", loss.reason), ("kept entries", "at most \(loss.keptEntries)"),
                    ("lost tree head", loss.lostTreeHead.split(separator: "\n").prefix(3).joined(separator: " ")),
                ]
            )
        case .authorityRotated(let rotation):
            return (
                "certificate authority changed",
                [
                    ("by", rotation.rotatedBy), ("new ca", rotation.authorityDigest.hex),
                    ("former ca", rotation.former.hex),
                    ("former until", Format.time(rotation.formerEnds)),
                ]
            )
        }
    }

    private static func past(_ action: CampaignChange.Action) -> String {
        switch action {
        case .stop: "stopped"
        case .pause: "paused"
        case .resume: "resumed"
        case .amend: "amended"
        }
    }

    private static func amendment(_ action: CampaignChange.Action) -> [(String, String)] {
        guard case .amend(let amendment) = action else { return [] }
        return amendment.fields.map { ($0.name, $0.value) }
    }

    /// In the words of plan.toml.
    static func fields(of plan: Plan) -> [(String, String)] {
        Plan.schema.fields(of: plan).map { ($0.key, $0.value) }
    }

    /// The values of a plan's settings, by their names in ``describe(_:)``; empty for an entry without a plan.
    static func settings(of entry: Entry) -> [String: TOMLValue] {
        guard case .campaignOpened(let plan, _) = entry.body else { return [:] }
        return Dictionary(uniqueKeysWithValues: Plan.schema.values(of: plan).map { ($0.key, $0.value) })
    }

    private static func list(_ sites: [SiteID]) -> String { sites.map(\.description).joined(separator: ", ") }
}
