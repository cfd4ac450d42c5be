import Federation
import Foundation
import Identity
import Ledger
import TestKit
import Testing
import Wire
@testable import Worker

/// A site's memory of the coordinator's ledger, and its refusal of another ledger.
@Suite struct LedgerMemoryTests {
    static let key = try! PrivateKey.generate(.ed25519)
    static let site = SiteID("acme/osaka")!
    static let campaign = CampaignID("FY2026-FY2027")!
    let directory = try! TemporaryDirectory()

    private var logKey: [UInt8] { get throws { try Self.key.publicKey.ed25519Bytes() } }
    private func memory() throws -> LedgerMemory { try LedgerMemory(directory: directory.path, consortium: "c") }

    private func model(_ index: Int, _ seed: UInt8) -> Entry.Body {
        let model = ModelReference(digest: Digest(of: [seed, UInt8(index)]), layout: Digest(of: [2]), byteCount: 3)
        return .modelRegistered(ModelName("M\(index)")!, model, by: "operator/o")
    }

    /// Makes a ledger with a genesis and further entries. Any entries are possible, because the memory does not replay
    /// them.
    private func ledger(_ bodies: [Entry.Body], at time: UInt64 = 0) throws -> Ledger {
        let genesis = Genesis(
            consortium: "c",
            authority: Digest(of: [1]),
            logKey: try logKey,
            coordinatorCertificate: [1],
            logKeySignature: [2]
        )
        let store = try SQLiteLedger(path: directory.file("ledger-\(UUID().uuidString)"))
        let ledger = try Ledger(consortium: "c", store: store, key: Self.key)
        try ledger.append(
            ([.founded(genesis)] + bodies).map { Entry(at: Timestamp(milliseconds: 1_780_000_000_000 + time), $0) }
        )
        return ledger
    }

    private func models(_ count: Int, seed: UInt8 = 0) throws -> Ledger {
        try ledger((0..<count).map { model($0, seed) })
    }

    private func welcome(_ ledger: Ledger, extending seen: Int = 0, loss: Receipt? = nil) throws -> Welcome {
        Welcome(
            version: 1,
            consortium: "c",
            time: Timestamp(milliseconds: 0),
            heartbeatSeconds: 5,
            chunkBytes: 1024,
            logKey: try logKey,
            logKeySignature: [],
            treeHead: ledger.head.note,
            consistencyProof: seen <= ledger.count ? ledger.consistencyProof(from: seen) : [],
            loss: loss
        )
    }

    private func update(_ round: Int, _ attempt: Int = 1) -> SignedUpdate {
        let manifest = UpdateManifest(
            campaign: Self.campaign,
            key: RoundKey(round: round, attempt: attempt),
            site: Self.site,
            model: Digest(of: [1]),
            update: Digest(of: [3]),
            updateByteCount: 4,
            layout: Digest(of: [2]),
            samples: 5,
            localLoss: 0.5,
            createdAt: Timestamp(milliseconds: 1)
        )
        return SignedUpdate(manifest: manifest, manifestBytes: [], signature: [], certificate: [])
    }

    /// Returns the contents of all files of the site's evidence, by path.
    private func files() throws -> [String: Data] {
        let paths = FileManager.default.enumerator(atPath: directory.path)?.compactMap { $0 as? String } ?? []
        return paths.filter { !$0.hasPrefix("ledger-") }.reduce(into: [:]) {
            $0[$1] = FileManager.default.contents(atPath: directory.file($1))
        }
    }

    @Test func theNewestHeadIsKeptAndAnOlderOrAnotherLedgerIsRefusedAlsoAfterARestart() throws {
        let whole = try models(6), older = try models(3), other = try models(9, seed: 7)
        let first = try memory()
        try first.pin(logKey)
        #expect(try first.compareHistory(welcome(older)) == .extends)
        #expect(try first.compareHistory(welcome(whole, extending: 4)) == .extends)
        for memory in [first, try memory()] {
            #expect(memory.treeHead == whole.head.note)
            #expect(try memory.compareHistory(welcome(older)) == .isBehind(seen: 7, theirs: 4))
            #expect(try memory.compareHistory(welcome(other, extending: 7)) == .isBehind(seen: 7, theirs: 10))
            #expect(try memory.compareHistory(welcome(whole, extending: 7)) == .extends)
        }
        #expect(throws: WorkerError.self) {
            let silent = Welcome(
                version: 1,
                consortium: "c",
                time: Timestamp(milliseconds: 0),
                heartbeatSeconds: 5,
                chunkBytes: 1,
                logKey: try logKey,
                logKeySignature: []
            )
            _ = try first.compareHistory(silent)
        }
    }

    @Test func aReceiptIsNewerThanTheHeadThatWasKept() throws {
        let whole = try models(6)
        let first = try memory()
        try first.pin(logKey)
        _ = try first.compareHistory(welcome(try models(3)))
        try first.keep(
            whole.receipt(of: 5),
            consistencyProof: whole.consistencyProof(from: 4),
            of: update(1),
            logKey: logKey
        )
        for memory in [first, try memory()] { #expect(memory.treeHead == whole.head.note && memory.receiptCount == 1) }
    }

    /// Otherwise the site would silently continue with another history.
    @Test func aReceiptOfAnotherHistoryIsEvidenceAndChangesNothing() throws {
        let whole = try models(6), other = try ledger((0..<9).map { model($0, 1) })
        let memory = try memory()
        try memory.pin(logKey)
        _ = try memory.compareHistory(welcome(whole))
        for fork in [other, try models(3)] {
            for proof in [[], other.consistencyProof(from: 7)] {
                #expect(throws: WorkerError.self) {
                    try memory.keep(fork.receipt(of: 3), consistencyProof: proof, of: update(1), logKey: logKey)
                }
            }
        }
        for memory in [memory, try self.memory()] {
            #expect(memory.treeHead == whole.head.note && memory.receiptCount == 0)
        }
        #expect(try files().keys.count { $0.hasSuffix(".receipt-conflict") } == 2)
    }

    @Test func aLossThatStandsInAnotherLedgerIsNone() throws {
        let whole = try models(6)
        let memory = try memory()
        try memory.pin(logKey)
        _ = try memory.compareHistory(welcome(whole))
        let declaration = LossDeclaration(
            lostTreeHead: whole.head.note,
            keptEntries: 1,
            reason: "x",
            declaredBy: "operator/o"
        )
        let elsewhere = try ledger([.lossDeclared(declaration)], at: 1)
        guard case .isBehind = try memory.compareHistory(welcome(try models(3), loss: elsewhere.receipt(of: 1))) else {
            throw Failed()
        }
    }

    @Test func anotherReceiptForAnUpdateIsEvidenceBesideTheFirst() throws {
        let whole = try models(6)
        let memory = try memory()
        try memory.pin(logKey)
        try memory.keep(whole.receipt(of: 3), consistencyProof: [], of: update(1), logKey: logKey)
        let before = try files()
        try memory.keep(whole.receipt(of: 3), consistencyProof: [], of: update(1), logKey: logKey)
        #expect(try files() == before)
        for _ in 0..<2 {
            #expect(throws: WorkerError.self) {
                try memory.keep(whole.receipt(of: 4), consistencyProof: [], of: update(1), logKey: logKey)
            }
        }
        let after = try files()
        #expect(before.allSatisfy { after[$0.key] == $0.value } && after.count == before.count + 1)
        #expect(after.keys.contains { $0.hasSuffix(".receipt-conflict") })
        #expect(try self.memory().receiptCount == 1)
    }

    @Test func anotherKeyOfTheLedgerIsRefusedAndTheFirstIsKept() throws {
        let memory = try memory()
        try memory.pin(logKey)
        let before = try files()
        #expect(throws: WorkerError.self) { try memory.pin(PrivateKey.generate(.ed25519).publicKey.ed25519Bytes()) }
        #expect(try files() == before)
    }

    private func task(_ round: Int, lost: Receipt? = nil) -> Assignment {
        .train(
            TrainingTask(
                campaign: Self.campaign,
                key: RoundKey(round: round, attempt: 2),
                rounds: 9,
                model: ModelReference(digest: Digest(of: [1]), layout: Digest(of: [2]), byteCount: 3),
                deadline: Timestamp(milliseconds: 9),
                training: Training(localSteps: 1, batch: 1, learningRate: 1),
                lostUpdate: lost
            )
        )
    }

    @Test func aReceiptedRoundIsTrainedAgainOnlyWhereTheLedgerSaysThatTheUpdateWasLost() throws {
        func abandoned(_ round: Int, without: [SiteID]) -> Entry.Body {
            .roundAbandoned(
                RoundAbandonment(key: RoundKey(round: round, attempt: 1), reason: "updates were lost", without: without)
            )
        }
        let ledger = try ledger([
            abandoned(1, without: [Self.site]), model(0, 0), abandoned(1, without: [Self.site]),
            abandoned(1, without: []), abandoned(2, without: [Self.site]),
        ])
        let memory = try memory()
        try memory.pin(logKey)
        #expect(try memory.admitted(task(1), site: Self.site, logKey: logKey) == task(1), "it holds no receipt")
        try memory.keep(ledger.receipt(of: 2), consistencyProof: [], of: update(1), logKey: logKey)
        func isAdmitted(_ lost: Receipt?) throws -> Bool {
            let assignment = task(1, lost: lost)
            return try memory.admitted(assignment, site: Self.site, logKey: logKey) == assignment
        }
        #expect(try isAdmitted(ledger.receipt(of: 3)))
        #expect(try !isAdmitted(nil))
        #expect(try !isAdmitted(ledger.receipt(of: 1)), "it is older than the receipt")
        #expect(try !isAdmitted(ledger.receipt(of: 4)), "another site's update was lost")
        #expect(try !isAdmitted(ledger.receipt(of: 5)), "of another round")
        #expect(try memory.admitted(task(2), site: Self.site, logKey: logKey) == task(2))
    }

    @Test func aDeclaredLossIsAcceptedOnceAndNothingIsLostByIt() throws {
        let whole = try models(6)
        let first = try memory()
        try first.pin(logKey)
        _ = try first.compareHistory(welcome(whole))
        try first.keep(whole.receipt(of: 5), consistencyProof: [], of: update(1), logKey: logKey)
        let before = try files()
        let declaration = LossDeclaration(
            lostTreeHead: whole.head.note,
            keptEntries: 4,
            reason: "the disk died",
            declaredBy: "operator/o"
        )
        let restored = try ledger((0..<3).map { model($0, 0) } + [.lossDeclared(declaration)], at: 1)
        let answer = try welcome(restored, loss: restored.receipt(of: 4))
        guard case .lossDeclared(let loss) = try first.compareHistory(answer) else { throw Failed() }
        #expect(!loss.isAccepted && loss.declaration == declaration)
        try first.storeProposed(loss)
        #expect(try memory().proposedLosses() == [loss])
        try first.accept(loss)
        let second = try memory()
        #expect(try second.proposedLosses().isEmpty)
        guard case .lossDeclared(let accepted) = try second.compareHistory(answer), accepted.isAccepted else {
            throw Failed()
        }
        for held in second.receipts(from: 4) { try second.setAside(held.name) }
        try second.continueAfterLoss(answer)
        #expect(try memory().treeHead == restored.head.note)
        let after = try files()
        #expect(before.values.allSatisfy { bytes in after.values.contains(bytes) })
    }

    /// Lets the site accept a loss, after which the coordinator continues with a ledger of two more models and a later
    /// time.
    private func afterALoss(_ memory: LedgerMemory, time: UInt64) throws -> (loss: Receipt, ledger: Ledger) {
        let declaration = LossDeclaration(
            lostTreeHead: memory.treeHead,
            keptEntries: 1,
            reason: "the disk died",
            declaredBy: "operator/o"
        )
        let restored = try ledger([.lossDeclared(declaration), model(Int(time), 1), model(Int(time) + 1, 1)], at: time)
        let loss = try restored.receipt(of: 1)
        guard case .lossDeclared(let declared) = try memory.compareHistory(welcome(restored, loss: loss)) else {
            throw Failed()
        }
        try memory.accept(declared)
        for held in memory.receipts() where held.receipt.index > 0 { try memory.setAside(held.name) }
        try memory.continueAfterLoss(welcome(restored, loss: loss))
        return (loss, restored)
    }

    @Test func oneDeclarationExcusesNoLaterRollback() throws {
        let memory = try memory()
        try memory.pin(logKey)
        _ = try memory.compareHistory(welcome(try models(40)))
        let (loss, restored) = try afterALoss(memory, time: 1)
        // Restored again, including the declaration: the entries that the site has seen since are missing.
        try memory.keep(restored.receipt(of: 3), consistencyProof: [], of: update(1), logKey: logKey)
        let again = try ledger(
            [
                .lossDeclared(
                    LossDeclaration(
                        lostTreeHead: try models(40).head.note,
                        keptEntries: 1,
                        reason: "x",
                        declaredBy: "operator/o"
                    )
                )
            ],
            at: 1
        )
        for memory in [memory, try self.memory()] {
            guard case .isBehind = try memory.compareHistory(welcome(again, loss: loss)) else { throw Failed() }
            guard case .isBehind = try memory.compareHistory(welcome(again, loss: again.receipt(of: 1))) else {
                throw Failed()
            }
        }
        // A declaration with a later time is another one, which the engineer must accept again.
        _ = try afterALoss(memory, time: 2)
        #expect(memory.receiptCount == 0)
    }

    @Test func receiptsOfARoundThatWasLostTwiceAreBothKept() throws {
        let memory = try memory()
        try memory.pin(logKey)
        let first = try models(6)
        _ = try memory.compareHistory(welcome(first))
        try memory.keep(first.receipt(of: 3), consistencyProof: [], of: update(1), logKey: logKey)
        let (_, second) = try afterALoss(memory, time: 1)
        try memory.keep(second.receipt(of: 3), consistencyProof: [], of: update(1), logKey: logKey)
        _ = try afterALoss(memory, time: 2)
        let kept = try files().filter { $0.key.hasPrefix("receipts-of-lost-entries/") }
        let expected = try [Data(first.receipt(of: 3).wireBytes), Data(second.receipt(of: 3).wireBytes)]
        #expect(kept.count == 2 && expected.allSatisfy(kept.values.contains))
    }

    @Test func whatLeavesTheSiteHasOneLineHoweverOftenItIsBegun() throws {
        let log = SentLog(path: directory.file("sent.jsonl"))
        for round in [1, 2] {
            for _ in 0..<3 { try log.record(update(round).manifest, at: Timestamp(milliseconds: 5)) }
        }
        let lines = String(decoding: try directory.read("sent.jsonl"), as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 2 && lines[1].contains(#""round": 2, "attempt": 1"#), "\(lines)")
    }

    /// A line that a kill has cut off, even one that names the update, is none.
    @Test func aLineOfWhatLeavesTheSiteThatWasCutOffIsWrittenAgain() throws {
        let log = SentLog(path: directory.file("sent.jsonl"))
        try log.record(update(1).manifest, at: Timestamp(milliseconds: 5))
        let whole = try directory.read("sent.jsonl")
        // Everything but the brace and the end of the line.
        try directory.write("sent.jsonl", Array(whole.dropLast(2)))
        try log.record(update(1).manifest, at: Timestamp(milliseconds: 6))
        let lines = String(decoding: try directory.read("sent.jsonl"), as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 2 && lines[1].hasPrefix(#"{"at_ms": 6, "#) && lines[1].hasSuffix("}"), "\(lines)")
    }

    @Test func onlyAKeyThatIsNotThereCountsAsNone() throws {
        #expect(try LedgerMemory.knownLogKey(in: directory.path) == nil)
        try memory().pin(logKey)
        #expect(try LedgerMemory.knownLogKey(in: directory.path) == logKey)
        try FileManager.default.removeItem(atPath: directory.file("log-key"))
        #expect(mkfifo(directory.file("log-key"), 0o600) == 0)
        #expect(throws: (any Error).self) { try LedgerMemory.knownLogKey(in: directory.path) }
        try FileManager.default.removeItem(atPath: directory.file("log-key"))
        try FileManager.default.createDirectory(atPath: directory.file("log-key"), withIntermediateDirectories: false)
        #expect(throws: (any Error).self) { try LedgerMemory.knownLogKey(in: directory.path) }
        try FileManager.default.removeItem(atPath: directory.file("log-key"))
        #expect(symlink("log-key", directory.file("log-key")) == 0)
        #expect(throws: (any Error).self) { try LedgerMemory.knownLogKey(in: directory.path) }
    }

    @Test func aDataDirectoryBelongsToOneSite() throws {
        let data = DataDirectory(directory.file("data"))
        for _ in 0..<2 { withExtendedLifetime(try data.claim(for: Self.site)) {} }
        try data.requireOwner(Self.site)
        let other = SiteID("bolt/turin")!
        for attempt in [{ _ = try data.claim(for: other) }, { try data.requireOwner(other) }] {
            #expect { try attempt() } throws: {
                let error = $0 as? WorkerError
                return error?.message.contains("acme/osaka, not of bolt/turin") == true && error?.file != nil
            }
        }
    }

    /// A site keeps only models that it has helped to train, because a coordinator could announce any number of others.
    @Test func theEndOfACampaignWithoutThisSiteBringsNoModel() throws {
        let memory = try memory()
        try memory.pin(logKey)
        let end = CampaignEnd(campaign: Self.campaign, completed: true, reason: "done", model: Digest(of: [1]))
        let ended = Assignment.finished(end, model: BlobReference(digest: Digest(of: [1]), byteCount: 9))
        #expect(try memory.admitted(ended, site: Self.site, logKey: logKey) == .finished(end, model: nil))
        try memory.keep(models(2).receipt(of: 2), consistencyProof: [], of: update(1), logKey: logKey)
        #expect(try memory.admitted(ended, site: Self.site, logKey: logKey) == ended)
    }

    @Test func aFileThatCannotBeReadIsNamed() throws {
        let memory = try memory()
        try memory.pin(logKey)
        try memory.keep(models(2).receipt(of: 2), consistencyProof: [], of: update(1), logKey: logKey)
        let receipt = "receipts/FY2026-FY2027-1-1.receipt"
        for (name, bytes) in [("tree-head", []), (receipt, []), (receipt, [0x08])] as [(String, [UInt8])] {
            let former = FileManager.default.contents(atPath: directory.file(name))
            try directory.write(name, bytes)
            #expect { _ = try self.memory() } throws: { ($0 as? WorkerError)?.message.contains(name) == true }
            if let former {
                try directory.write(name, Array(former))
            } else {
                try FileManager.default.removeItem(atPath: directory.file(name))
            }
        }
        #expect(mkfifo(directory.file("tree-head"), 0o600) == 0)
        #expect(throws: (any Error).self) { _ = try self.memory() }
    }

    struct Failed: Error {}
}
