import Federation
import Foundation
import Identity
import Ledger
import TestKit
import Testing
import Wire

/// Checks that a ledger extends what others have seen of it, and what happens if it does not.
@Suite struct HistoryTests {
    static let key = try! PrivateKey.generate(.ed25519)

    func tree(_ count: Int, from other: UInt8 = 0) -> MerkleTree {
        var tree = MerkleTree()
        for index in 0..<count { tree.append(leaf: MerkleTree.leafHash([other, UInt8(index)])) }
        return tree
    }

    func head(_ tree: MerkleTree, size: Int? = nil) -> TreeHead {
        TreeHead(origin: "c/ledger", size: size ?? tree.count, root: tree.root(size: size ?? tree.count))
    }

    @Test func everyTreeProvesThatItExtendsEachEarlierOne() {
        for size in 0..<40 {
            let tree = tree(size)
            for earlier in 0...size {
                let proof = tree.consistencyProof(from: earlier)
                #expect(
                    MerkleTree.isConsistent(head(tree, size: earlier), head(tree), proof: proof),
                    "\(earlier) of \(size)"
                )
                // Any other root, and any other proof, is refused.
                if earlier > 0, earlier < size {
                    #expect(!MerkleTree.isConsistent(head(self.tree(earlier, from: 1)), head(tree), proof: proof))
                    #expect(!MerkleTree.isConsistent(head(tree, size: earlier), head(tree), proof: proof + [proof[0]]))
                    #expect(
                        !MerkleTree.isConsistent(head(tree, size: earlier), head(tree), proof: Array(proof.dropLast()))
                    )
                    var changed = proof
                    changed[0] = Digest(of: [9])
                    #expect(!MerkleTree.isConsistent(head(tree, size: earlier), head(tree), proof: changed))
                }
            }
        }
    }

    /// The values of RFC 6962's reference tree of eight leaves (Certificate Transparency's merkle_tree_test).
    @Test func aConsistencyProofIsThatOfTheSpecification() {
        let inputs: [[UInt8]] = [
            [], [0x00], [0x10], [0x20, 0x21], [0x30, 0x31], [0x40, 0x41, 0x42, 0x43], Array(0x50...0x57),
            Array(0x60...0x6f),
        ]
        var tree = MerkleTree()
        for input in inputs { tree.append(leaf: MerkleTree.leafHash(input)) }
        #expect(
            tree.consistencyProof(from: 6).map(\.hex) == [
                "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ]
        )
    }

    /// A ledger of a genesis and `models` further entries.
    func ledger(_ models: Int, store: SQLiteLedger) throws -> Ledger {
        let ledger = try Ledger(consortium: "c", store: store, key: Self.key)
        try ledger.append(try entries(models))
        try ledger.reload()
        return ledger
    }

    func entries(_ models: Int, seed: UInt8 = 0) throws -> [Entry] {
        let time = Timestamp(milliseconds: 1_780_000_000_000)
        let genesis = Genesis(
            consortium: "c",
            authority: Digest(of: [1]),
            logKey: try Self.key.publicKey.ed25519Bytes(),
            coordinatorCertificate: [1],
            logKeySignature: [2]
        )
        return [Entry(at: time, .founded(genesis))]
            + (0..<models).map { index in
                let model = ModelReference(
                    digest: Digest(of: [seed, UInt8(index)]),
                    layout: Digest(of: [2]),
                    byteCount: 3
                )
                return Entry(at: time, .modelRegistered(ModelName("M\(index)")!, model, by: "operator/o"))
            }
    }

    @Test func aLedgerFromAnOlderBackupIsToldFromOneThatGoesOn() throws {
        let directory = try TemporaryDirectory()
        let whole = try ledger(6, store: SQLiteLedger(path: directory.path + "/a"))
        let older = try ledger(3, store: SQLiteLedger(path: directory.path + "/b"))
        #expect(whole.standing(of: older.head.note, losses: []) == .extends(proof: whole.consistencyProof(from: 4)))
        guard case .isBehind(let seen) = older.standing(of: whole.head.note, losses: []) else { throw Failed() }
        #expect(seen.head.size == 7)
        guard case .isForeign = older.standing(of: "nothing", losses: []) else { throw Failed() }
        let loss = LossDeclaration(
            lostTreeHead: whole.head.note,
            keptEntries: 4,
            reason: "why",
            declaredBy: "operator/o"
        )
        let time = Timestamp(milliseconds: 1_780_000_000_000)
        let declared = ConsortiumState.RecordedLoss(
            declaration: loss,
            index: 4,
            at: Timestamp(milliseconds: time.milliseconds + 1)
        )
        #expect(older.standing(of: whole.head.note, losses: [declared]) == .lossDeclared(declared))
        // A declaration does not explain entries that were written at the same time or later.
        #expect(
            older.standing(of: whole.head.note, losses: [.init(declaration: loss, index: 4, at: time)])
                == .isBehind(whole.head)
        )
    }

    @Test func receiptsThatFillTheGapBringALedgerBackByteForByte() throws {
        let directory = try TemporaryDirectory()
        let whole = try ledger(6, store: SQLiteLedger(path: directory.path + "/a"))
        let older = try ledger(3, store: SQLiteLedger(path: directory.path + "/b"))
        guard case .isBehind(let seen) = older.standing(of: whole.head.note, losses: []) else { throw Failed() }
        var recovery = LedgerRecovery(seen)
        for index in [6, 4] { try recovery.add(try whole.receipt(of: UInt64(index)), ledger: older.snapshot) }
        #expect(recovery.restorable(older.snapshot) == nil, "entry 5 is missing")
        try recovery.add(try whole.receipt(of: 5), ledger: older.snapshot)
        guard let lost = recovery.restorable(older.snapshot) else { throw Failed() }
        try older.restore(lost)
        #expect(older.head == whole.head)
        #expect(recovery.isComplete(older.snapshot))
    }

    /// Entries that were written after a restoration are later than everything that sites had seen: they do not belong
    /// to the part that both histories share.
    @Test func entriesWrittenAfterARestorationAreNotThoseOfBefore() throws {
        let directory = try TemporaryDirectory()
        let whole = try ledger(6, store: SQLiteLedger(path: directory.path + "/a"))
        let restored = try ledger(3, store: SQLiteLedger(path: directory.path + "/b"))
        let kept = restored.count
        guard case .isBehind(let seen) = restored.standing(of: whole.head.note, losses: []), let time = seen.head.time
        else { throw Failed() }
        let recovery = LedgerRecovery(seen)
        #expect(try recovery.keptEntries(restored) == kept)
        for step in 1...8 {
            let later = Entry(
                at: Timestamp(milliseconds: time.milliseconds + UInt64(step)),
                try restored.entry(at: 1).body
            )
            try restored.append([later])
        }
        #expect(try restored.count > whole.count && recovery.keptEntries(restored) == kept)
    }

    @Test func aReceiptOfAnotherLedgerRestoresNothing() throws {
        let directory = try TemporaryDirectory()
        let older = try ledger(3, store: SQLiteLedger(path: directory.path + "/b"))
        let whole = try ledger(6, store: SQLiteLedger(path: directory.path + "/a"))
        guard case .isBehind(let seen) = older.standing(of: whole.head.note, losses: []) else { throw Failed() }
        var recovery = LedgerRecovery(seen)
        let receipt = try whole.receipt(of: 4)
        let forged = Receipt(index: 4, entry: receipt.entry + [0], proof: receipt.proof, treeHead: receipt.treeHead)
        #expect(throws: LedgerError.self) { try recovery.add(forged, ledger: older.snapshot) }
        #expect(recovery.restorable(older.snapshot) == nil)
    }

    @Test func aLedgerFileThatIsRemovedOrReplacedIsNoticedBeforeAnythingIsAcknowledged() throws {
        for replaces in [false, true] {
            let directory = try TemporaryDirectory()
            let path = directory.path + "/ledger.sqlite"
            let ledger = try ledger(2, store: SQLiteLedger(path: path))
            let time = Timestamp(milliseconds: 1_780_000_000_001)
            try FileManager.default.removeItem(atPath: path)
            if replaces { try Data("another".utf8).write(to: URL(fileURLWithPath: path)) }
            let entry = Entry(at: time, .clockCorrected(ClockCorrection(reason: "r", correctedBy: "o")))
            #expect { try ledger.append([entry]) } throws: { ($0 as? LedgerError)?.code == .replaced }
            #expect(ledger.count == 3)
        }
    }

    @Test func anOlderCopyThatIsWrittenIntoTheLedgersFilesIsNoticed() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/ledger.sqlite", names = ["ledger.sqlite", "ledger.sqlite-wal"]
        let ledger = try ledger(2, store: SQLiteLedger(path: path))
        let older = try names.map { try directory.read($0) }
        func correction(_ reason: String) -> Entry {
            Entry(
                at: Timestamp(milliseconds: 1_780_000_000_001),
                .clockCorrected(ClockCorrection(reason: reason, correctedBy: "o"))
            )
        }
        try ledger.append([correction("a")])
        // Reading by other processes, and a checkpoint of the write-ahead log into the main file, change nothing.
        let other = try SQLiteLedger(path: path)
        #expect(try other.entries(in: 0..<other.count()).count == 4)
        try other.close()
        try ledger.append([correction("b")])
        // Written in place, as `cp` does: the file stays the same one.
        for (name, bytes) in zip(names, older) {
            let file = try FileHandle(forWritingTo: URL(fileURLWithPath: directory.file(name)))
            try file.truncate(atOffset: 0)
            try file.write(contentsOf: Data(bytes))
            try file.close()
        }
        #expect { try ledger.append([correction("c")]) } throws: { ($0 as? LedgerError)?.code == .replaced }
        #expect(ledger.count == 5)
    }

    @Test func aLedgerIsNotOpenedWithAnotherKeyThanItsFounding() throws {
        let directory = try TemporaryDirectory()
        let store = try SQLiteLedger(path: directory.path + "/a")
        let genesis = try entries(0)
        _ = try Ledger(consortium: "c", store: store, key: try PrivateKey.generate(.ed25519)).append(genesis)
        #expect(throws: LedgerError.self) { try Ledger(consortium: "c", store: store, key: Self.key) }
    }

    struct Failed: Error {}
}
