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
    /// Compares the tree head of a site's hello with the ledger.
    ///
    /// - Returns: The welcome, and whether the site may only show receipts.
    /// - Throws: A `Refusal` if the ledger cannot be used, or is not the site's.
    nonisolated func greet(_ hello: Hello, version: UInt32, site: SiteID) async throws -> (Welcome, isRecovery: Bool) {
        try await requireLedger()
        let greeting = Greeting(await readDurable { Greeting.Facts($0) }, seen: hello.treeHead)
        if let standing = greeting.standing { await handle(.greeted(site, standing)) }
        try greeting.requireOwnLedger(site)
        return (try await welcome(version, greeting), greeting.isRecovery)
    }

    nonisolated func welcome(_ version: UInt32) async throws -> Welcome {
        try await welcome(version, Greeting(await readDurable { Greeting.Facts($0) }))
    }

    private nonisolated func welcome(_ version: UInt32, _ greeting: Greeting) async throws -> Welcome {
        let loss = try await workers.runIfActive { [ledger] in
            greeting.loss.flatMap { try? ledger.receipt(of: $0.index, under: greeting.ledger) }
        }
        let identity = await identity
        let sender = Greeting.Sender(
            consortium: configuration.consortium,
            heartbeatSeconds: configuration.heartbeatSeconds,
            chunkBytes: intake.chunkBytes,
            logKey: identity.logKeyBytes,
            logKeySignature: identity.logKeySignature
        )
        return greeting.welcome(sender, version: version, at: now(), loss: loss)
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
        let recovery = await readDurable { $0.recovery }
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
