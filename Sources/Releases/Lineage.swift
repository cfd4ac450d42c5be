import Federation
import Tensors

/// Where a release comes from: its base, and every update that went into it.
public struct Lineage: Equatable, Sendable {
    public struct Contribution: Equatable, Sendable {
        public let site: SiteID
        public let update: Digest
        public let weight: UInt32
        public let entry: UInt64
    }

    public struct Round: Equatable, Sendable {
        public let key: RoundKey
        public let contributions: [Contribution]
        public let model: Digest
    }

    public let consortium: String
    public let cutting: ReleaseCutting
    public let base: ModelName
    public let baseDigest: Digest
    public let strategy: Strategy
    public let rounds: [Round]
    public let releasedAt: Timestamp
    public let treeHead: String

    /// Collects the lineage of the newest release from a ledger's entries.
    public init(entries: [Entry], treeHead: String) throws {
        var consortium = ""
        var plan: Plan?
        var rounds: [Round] = []
        var pending: [Contribution] = []
        var last: (ReleaseCutting, Timestamp)?
        for (index, entry) in entries.enumerated() {
            switch entry.body {
            case .founded(let founding): consortium = founding.consortium
            case .campaignOpened(let opened, _): (plan, rounds) = (opened, [])
            case .roundOpened: pending = []
            case .updateAccepted(let accepted):
                let manifest = accepted.update.manifest
                pending.append(Contribution(site: manifest.site, update: manifest.update, weight: accepted.weight, entry: UInt64(index)))
            case .roundCommitted(let commit):
                rounds.append(Round(key: commit.key, contributions: pending.sorted { $0.site < $1.site }, model: commit.result.model))
            case .releaseCut(let cutting): last = (cutting, entry.at)
            default: break
            }
        }
        guard let plan, let model = plan.model, let (cutting, at) = last else { throw ReleaseError("the ledger holds no release") }
        self.consortium = consortium
        self.cutting = cutting
        base = plan.base
        baseDigest = model.digest
        strategy = plan.strategy
        self.rounds = rounds
        releasedAt = at
        self.treeHead = treeHead
    }

    public var sites: [SiteID] { Array(Set(rounds.flatMap { $0.contributions.map(\.site) })).sorted() }
    public var updateCount: Int { rounds.reduce(0) { $0 + $1.contributions.count } }

    public var json: String {
        let rounds = rounds.map { round in
            let updates = round.contributions.map {
                "        {\"site\": \($0.site.description.jsonQuoted), \"update\": \"\($0.update.hex)\", \"weight\": \($0.weight), \"entry\": \($0.entry)}"
            }
            return """
                    {"round": \(round.key.round), "attempt": \(round.key.attempt), "model": "\(round.model.hex)", "updates": [
                \(updates.joined(separator: ",\n"))]}
                """
        }
        return """
            {
              "consortium": \(consortium.jsonQuoted),
              "release": \(cutting.name.text.jsonQuoted),
              "campaign": \(cutting.campaign.text.jsonQuoted),
              "cut_by": \(cutting.cutBy.jsonQuoted),
              "released_at_ms": \(releasedAt.milliseconds),
              "model": "\(cutting.model.digest.hex)",
              "base": {"name": \(base.text.jsonQuoted), "model": "\(baseDigest.hex)"},
              "strategy": \(strategy.name.jsonQuoted),
              "tree_head": \(treeHead.jsonQuoted),
              "rounds": [
            \(rounds.joined(separator: ",\n"))
              ]
            }

            """
    }
}
