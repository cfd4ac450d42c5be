import Federation
import Foundation
import Identity
import TestKit
import Testing
import Wire

@testable import Ledger

/// The Merkle tree, its heads, and the ledger's file.
@Suite struct LedgerTests {
    let directory: TemporaryDirectory
    let key: PrivateKey
    init() throws {
        directory = try TemporaryDirectory()
        key = try PrivateKey.generate(.ed25519)
    }

    /// The RFC 6962 test vectors of certificate-transparency's own tests.
    static let leaves = [
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    ]
    static let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]

    @Test func rootsAreThoseOfTheRFC() {
        var tree = MerkleTree()
        #expect(tree.root == Digest(of: ""))
        for (leaf, root) in zip(Self.leaves, Self.roots) {
            let bytes = stride(from: 0, to: leaf.count, by: 2).map {
                UInt8(Array(leaf)[$0...$0 + 1].map(String.init).joined(), radix: 16)!
            }
            tree.append(leaf: MerkleTree.leafHash(bytes))
            #expect(tree.root.hex == root)
        }
        for size in 1...8 { #expect(tree.root(size: size).hex == Self.roots[size - 1]) }
    }

    @Test func everyInclusionProofLeadsToTheRootAndNoOtherDoes() {
        var tree = MerkleTree()
        for size in 1...40 {
            tree.append(leaf: MerkleTree.leafHash([UInt8(size)]))
            for index in 0..<size {
                let proof = tree.inclusionProof(of: index, size: size)
                let leaf = MerkleTree.leafHash([UInt8(index + 1)])
                #expect(MerkleTree.root(of: leaf, at: index, size: size, proof: proof) == tree.root)
                #expect(
                    MerkleTree.root(of: MerkleTree.leafHash([99]), at: index, size: size, proof: proof) != tree.root
                )
                #expect(MerkleTree.root(of: leaf, at: index, size: size, proof: proof + [leaf]) == nil)
                if size > 1 {
                    #expect(MerkleTree.root(of: leaf, at: (index + 1) % size, size: size, proof: proof) != tree.root)
                }
            }
        }
    }

    @Test func treeHeadsAreSignedNotes() throws {
        let publicKey = try key.publicKey.ed25519Bytes()
        let signed = try SignedTreeHead(TreeHead(origin: "t/ledger", size: 3, root: Digest(of: "x")), key: key)
        #expect(try SignedTreeHead(note: signed.note, origin: "t/ledger", key: publicKey) == signed)
        #expect(throws: LedgerError.self) { try SignedTreeHead(note: signed.note, origin: "u/ledger", key: publicKey) }
        #expect(throws: LedgerError.self) {
            try SignedTreeHead(
                note: signed.note,
                origin: "t/ledger",
                key: PrivateKey.generate(.ed25519).publicKey.ed25519Bytes()
            )
        }
        for index in signed.note.utf8.indices {
            var bytes = Array(signed.note.utf8)
            bytes[signed.note.utf8.distance(from: signed.note.startIndex, to: index)] ^= 1
            let changed = String(decoding: bytes, as: UTF8.self)
            #expect(throws: LedgerError.self) { try SignedTreeHead(note: changed, origin: "t/ledger", key: publicKey) }
        }
    }

    func entries(_ count: Int) -> [Entry] {
        let logKey = try! key.publicKey.ed25519Bytes()
        let genesis = Genesis(
            consortium: "t",
            authority: Digest(of: "a"),
            logKey: logKey,
            coordinatorCertificate: [],
            logKeySignature: []
        )
        return [Entry(at: Timestamp(milliseconds: 1), .founded(genesis))]
            + (1..<count).map {
                Entry(
                    at: Timestamp(milliseconds: UInt64($0)),
                    .modelRegistered(
                        ModelName("M\($0)")!,
                        ModelReference(digest: Digest(of: "\($0)"), layout: Digest(of: "l"), byteCount: 1),
                        by: ""
                    )
                )
            }
    }

    func open() throws -> Ledger {
        try Ledger(consortium: "t", store: SQLiteLedger(path: directory.file("ledger.sqlite")), key: key)
    }

    @Test func whatWasAppendedIsThereAfterReopening() throws {
        var ledger = try open()
        for entry in entries(20) { try ledger.append([entry]) }
        let head = ledger.head
        try ledger.close()
        ledger = try open()
        #expect(ledger.head == head)
        #expect(try ledger.folded().models.count == 19)
        for index in 0..<20 {
            let receipt = try ledger.receipt(of: UInt64(index))
            #expect(try receipt.verify(consortium: "t", logKey: key.publicKey.ed25519Bytes()) == entries(20)[index])
            let forged = Receipt(
                index: receipt.index,
                entry: entries(20)[(index + 1) % 20].wireBytes,
                proof: receipt.proof,
                treeHead: receipt.treeHead
            )
            #expect(throws: LedgerError.self) {
                try forged.verify(consortium: "t", logKey: key.publicKey.ed25519Bytes())
            }
        }
    }

    /// The answer was lost, and the certificate renewed before the update was sent again.
    @Test func aReceiptHoldsForTheSameUpdateSignedAgain() throws {
        let consortium = try ConsortiumFixture()
        let site = SiteID("acme/osaka")!
        func update(_ identity: ConsortiumFixture.Identity, loss: Double = 1, signedBy key: PrivateKey? = nil) throws
            -> SignedUpdate
        {
            let digest = Digest(of: "x")
            let manifest = UpdateManifest(
                campaign: CampaignID("c")!,
                key: RoundKey(round: 1, attempt: 1),
                site: site,
                model: digest,
                update: digest,
                updateByteCount: 1,
                layout: digest,
                samples: 1,
                localLoss: loss,
                createdAt: consortium.now
            )
            let bytes = manifest.wireBytes
            return SignedUpdate(
                manifest: manifest,
                manifestBytes: bytes,
                signature: try (key ?? identity.key).sign(SignedUpdate.statement(bytes)),
                certificate: identity.certificate.der
            )
        }
        let first = try consortium.identity(.site(site)), renewed = try consortium.identity(.site(site))
        let other = try consortium.identity(.site(SiteID("bolt/turin")!))
        let ledger = try open()
        let recorded = [try update(first), try update(other), try update(first, signedBy: other.key)]
        try ledger.append(
            recorded.map { Entry(at: consortium.now, .updateAccepted(AcceptedUpdate(update: $0, weight: 1, norm: 1))) }
        )
        let logKey = try key.publicKey.ed25519Bytes()
        func verify(_ index: UInt64, _ update: SignedUpdate) throws {
            try ledger.receipt(of: index).verify(consortium: "t", logKey: logKey, update: update)
        }
        try verify(0, update(first))
        try verify(0, update(renewed))
        // Another manifest; recorded under another site's certificate; with a signature that is not the certificate's.
        #expect(throws: LedgerError.self) { try verify(0, update(renewed, loss: 2)) }
        #expect(throws: LedgerError.self) { try verify(1, update(renewed)) }
        #expect(throws: LedgerError.self) { try verify(2, update(renewed)) }
    }

    @Test func entriesAreReadBackFromTheStoreAndAChangeSinceIsNoticed() throws {
        let store = try SQLiteLedger(path: directory.file("ledger.sqlite"))
        let ledger = try Ledger(consortium: "t", store: store, key: key)
        // More entries than are read at a time.
        let all = entries(600)
        for start in stride(from: 0, to: 600, by: 100) { try ledger.append(Array(all[start..<start + 100])) }
        var read: [Entry] = []
        try ledger.forEachEntry { read.append($0) }
        #expect(read == all)
        #expect(try store.entries(in: 255..<258).map(\.bytes) == all[255..<258].map(\.wireBytes))
        #expect(throws: LedgerError(.tampered, "")) { try store.entries(in: 598..<601) }
        #expect(throws: LedgerError(.failed, "")) { try ledger.entry(at: 600) }
        #expect(throws: LedgerError(.failed, "")) { try ledger.receipt(of: .max) }
        // A replaced entry with a matching leaf hash is not the entry that was appended.
        let other = StoredEntry(all[8].wireBytes)
        try Shell.run([
            "python3", "-c",
            """
            import sqlite3; c = sqlite3.connect('\(directory.file("ledger.sqlite"))')
            new = (bytes.fromhex('\(hexadecimal(other.bytes))'), bytes.fromhex('\(other.leaf.hex)'))
            c.execute('UPDATE entries SET bytes = ?, leaf = ? WHERE position = 7', new)
            c.commit()
            """,
        ])
        #expect(throws: LedgerError(.tampered, "")) { try ledger.receipt(of: 7) }
        #expect(throws: LedgerError(.tampered, "")) { try ledger.entry(at: 7) }
        #expect(try ledger.entry(at: 8) == all[8])
    }

    @Test func aLedgerWithAnotherKeyOrAMissingEntryIsNotOpened() throws {
        let ledger = try open()
        try ledger.append(entries(5))
        try ledger.close()
        #expect(throws: LedgerError.self) {
            try Ledger(
                consortium: "t",
                store: SQLiteLedger(path: directory.file("ledger.sqlite")),
                key: PrivateKey.generate(.ed25519)
            )
        }
        try Shell.run([
            "python3", "-c",
            """
            import sqlite3; c = sqlite3.connect('\(directory.file("ledger.sqlite"))'); c.execute('DELETE FROM entries \
            WHERE position = 4'); c.commit()
            """,
        ])
        #expect(throws: LedgerError.self) { try open() }
    }

    @Test func theSealNoticesAnyChangeOfTheFile() throws {
        let ledger = try open()
        try ledger.append(entries(30))
        try ledger.close()
        let file = directory.file("ledger.sqlite"), seal = directory.file("seal"),
            publicKey = try key.publicKey.ed25519Bytes()
        try LedgerSeal.write(to: seal, ledger: file, size: 30, origin: "t/ledger", key: key)
        try LedgerSeal.verify(seal, ledger: file, size: 30, origin: "t/ledger", logKey: publicKey)
        let whole = try directory.read("ledger.sqlite")
        for index in stride(from: 0, to: whole.count, by: 97) {
            var bytes = whole
            bytes[index] ^= 0x10
            try directory.write("changed", bytes)
            #expect(throws: LedgerError.self) {
                try LedgerSeal.verify(
                    seal,
                    ledger: directory.file("changed"),
                    size: 30,
                    origin: "t/ledger",
                    logKey: publicKey
                )
            }
        }
        let text = try directory.read("seal")
        for index in text.indices {
            var bytes = text
            bytes[index] ^= 1
            try directory.write("seal2", bytes)
            #expect(throws: (any Error).self) {
                try LedgerSeal.verify(
                    directory.file("seal2"),
                    ledger: file,
                    size: 30,
                    origin: "t/ledger",
                    logKey: publicKey
                )
            }
        }
    }
}
