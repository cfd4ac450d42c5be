import Blobs
import Federation
import Foundation
import Identity
import Ledger
import Logging
import Transport
import Wire

/// Compares the coordinator's ledger with what its sites have seen, and handles the case that it is older.
extension CoordinatorService {
    /// The reply to a site's hello.
    struct Greeting: Sendable {
        let welcome: Welcome
        /// The site has seen entries that are missing here: it may show their receipts and do nothing else.
        let isRecovery: Bool
    }

    nonisolated func greet(_ hello: Hello, version: UInt32, site: SiteID) async throws -> Greeting {
        try await requireLedger()
        let facts = await greetingFacts()
        let standing = facts.ledger.standing(of: hello.treeHead, losses: facts.losses)
        await handle(.greeted(site, standing))
        switch standing {
        case .extends(let proof):
            return Greeting(welcome: try await welcome(version, facts, proof: proof), isRecovery: false)
        case .lossDeclared(let loss):
            return Greeting(welcome: try await welcome(version, facts, loss: loss), isRecovery: false)
        case .isBehind: return Greeting(welcome: try await welcome(version, facts), isRecovery: true)
        case .isForeign(let reason):
            throw Refusal(
                .conflict,
                "\(site) has seen a tree head that this ledger's key did not sign: \(reason)",
                hint: "is this the right coordinator? compare the log keys with the consortium's auditors"
            )
        }
    }

    /// The facts about the coordinator that a welcome contains, all taken at the same moment.
    struct GreetingFacts: Sendable {
        let ledger: LedgerSnapshot
        let losses: [ConsortiumState.RecordedLoss]
        let model: BlobReference?
        let identity: CoordinatorIdentity
    }

    private func greetingFacts() async -> GreetingFacts {
        let (ledger, losses, model) = await look { ($0.ledger, $0.machine.state.losses, $0.machine.state.currentModel) }
        return GreetingFacts(ledger: ledger, losses: losses, model: model, identity: identity)
    }

    nonisolated func welcome(_ version: UInt32) async throws -> Welcome { try await welcome(version, greetingFacts()) }

    /// - Parameter loss: The declared loss that explains why the site's history differs; if `nil`, the newest one is
    ///   sent.
    private nonisolated func welcome(
        _ version: UInt32,
        _ facts: GreetingFacts,
        proof: [Digest] = [],
        loss: ConsortiumState.RecordedLoss? = nil
    ) async throws -> Welcome {
        var shown: Receipt?
        if let loss = loss ?? facts.losses.last {
            shown = try await workers.runIfActive { [ledger] in try? ledger.receipt(of: loss.index, under: facts.ledger)
            }
        }
        return Welcome(
            version: version,
            consortium: configuration.consortium,
            time: now(),
            heartbeatSeconds: configuration.heartbeatSeconds,
            chunkBytes: intake.chunkBytes,
            logKey: facts.identity.logKeyBytes,
            logKeySignature: facts.identity.logKeySignature,
            model: facts.model,
            treeHead: facts.ledger.head.note,
            consistencyProof: proof,
            loss: shown
        )
    }

    /// Throws if the ledger's file is gone: nothing may be answered from such a ledger.
    nonisolated func requireLedger() async throws {
        do { try await workers.runIfActive { [ledger] in try ledger.requireWhole() } } catch let error as LedgerError {
            throw Refusal(
                .unavailable,
                "the coordinator cannot use its ledger: \(error)",
                hint: "the operator must put the file back, and start the coordinator again"
            )
        }
    }

    /// Records an operator's declaration that the missing entries are lost.
    func declareLoss(reason: String, by operatorName: String) async throws -> UInt64 {
        let recovery = await look { $0.recovery }
        var missing: (head: SignedTreeHead, kept: UInt64)?
        if let recovery {
            let kept = try await workers.runIfActive { [ledger] in try recovery.keptEntries(ledger) }
            missing = (recovery.newest, UInt64(kept))
        }
        return try await recorded(.declareLoss(reason: reason, by: operatorName, missing: missing))
    }

    /// The coordinator's problems, as its status reports them.
    nonisolated func problems(_ facts: StatusFacts) async -> [String] {
        var found: [String] = []
        do { try await workers.runIfActive { [ledger] in try ledger.requireWhole() } } catch {
            found.append("nothing is decided, and nothing is answered from the ledger: \(error)")
        }
        found += facts.problems.decisions
        if facts.isDiskFull {
            found.append("the disk is full: sites cannot upload; free disk space in \(files.directory)")
        }
        found += facts.notices.compactMap { $0.text(at: now()) }
        if let startupWait = facts.problems.startupWait { found.append(startupWait) }
        if let step = clockStep {
            found.append(
                """
                the system's clock has stepped by \(step / 1000) s and is not followed; if it is right now, start the \
                coordinator again
                """
            )
        }
        return found
    }
}
