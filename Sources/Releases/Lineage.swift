import Federation
import Tensors

/// The origin of a release: its base model and every update that contributed to it.
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
    public let training: Training
    public let compression: Compression
    /// Up to the one whose model the release is.
    public let rounds: [Round]
    public let releasedAt: Timestamp
    public let treeHead: String

    /// Collects the lineage of a release from a ledger's entries; entries after the release do not change it.
    ///
    /// - Parameters:
    ///   - entries: The ledger's entries, from the first on.
    ///   - release: The name of the release.
    ///   - treeHead: The signed note of the ledger's tree head, which the lineage quotes; it is not checked.
    /// - Throws: `ReleaseError` if the ledger does not contain the release, or an entry does not follow from those
    ///   before it.
    public init(entries: [Entry], of release: ModelName, treeHead: String) throws {
        var state = ConsortiumState()
        var rounds: [Round] = []
        var places: [SignedUpdate.Identity: UInt64] = [:]
        for (index, entry) in entries.enumerated() {
            let before = state.campaign?.round.phase
            do { try state.apply(entry) } catch { throw ReleaseError("entry \(index) of the ledger \(error.message)") }
            switch entry.body {
            case .campaignOpened: rounds = []
            case .updateAccepted(let accepted): places[accepted.update.identity] = UInt64(index)
            case .roundCommitted(let commit):
                guard case .aggregating(let collection) = before else { break }
                rounds.append(
                    Round(
                        key: commit.key,
                        contributions: Self.contributions(collection, places),
                        model: commit.result.model
                    )
                )
            case .releaseCut(let cutting) where cutting.name == release:
                guard let plan = state.campaign?.plan, let model = plan.model else { break }
                self.init(
                    consortium: state.genesis?.consortium ?? "",
                    cutting: cutting,
                    base: plan.base,
                    baseDigest: model.digest,
                    strategy: plan.strategy,
                    training: plan.training,
                    compression: plan.compression,
                    rounds: rounds.filter { $0.key.round <= cutting.round ?? .max },
                    releasedAt: entry.at,
                    treeHead: treeHead
                )
                return
            default: break
            }
        }
        throw ReleaseError("the ledger contains no release \(release)")
    }

    private init(
        consortium: String,
        cutting: ReleaseCutting,
        base: ModelName,
        baseDigest: Digest,
        strategy: Strategy,
        training: Training,
        compression: Compression,
        rounds: [Round],
        releasedAt: Timestamp,
        treeHead: String
    ) {
        self.consortium = consortium
        self.cutting = cutting
        self.base = base
        self.baseDigest = baseDigest
        self.strategy = strategy
        self.training = training
        self.compression = compression
        self.rounds = rounds
        self.releasedAt = releasedAt
        self.treeHead = treeHead
    }

    private static func contributions(_ collection: RoundState.Collection, _ places: [SignedUpdate.Identity: UInt64])
        -> [Contribution]
    {
        collection.updates.map { accepted in
            let manifest = accepted.update.manifest
            return Contribution(
                site: manifest.site,
                update: manifest.update,
                weight: accepted.weight,
                entry: places[accepted.update.identity] ?? 0
            )
        }
    }

    public var sites: [SiteID] { Array(Set(rounds.flatMap { $0.contributions.map(\.site) })).sorted() }
    public var updateCount: Int { rounds.reduce(0) { $0 + $1.contributions.count } }

    public var json: String {
        let rounds = rounds.map { round in
            let updates = round.contributions.map {
                """
                        {\"site\": \($0.site.description.jsonQuoted), \"update\": \"\($0.update.hex)\", \"weight\": \
                \($0.weight), \"entry\": \($0.entry)}
                """
            }
            return """
                    {"round": \(round.key.round), "attempt": \(round.key.attempt), "model": "\(round.model.hex)", \
                "updates": [
                \(updates.joined(separator: ",\n"))]}
                """
        }
        return """
            {
              "consortium": \(consortium.jsonQuoted),
              "release": \(cutting.name.text.jsonQuoted),
              "campaign": \(cutting.campaign.text.jsonQuoted),
              "cut_by": \(cutting.cutBy.jsonQuoted),\(cutting.round.map { "\n  \"round\": \($0)," } ?? "")
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
