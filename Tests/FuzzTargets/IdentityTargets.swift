import Federation
import Foundation
import Identity
import Ledger
import TestKit
import Wire

extension FuzzTarget {
    /// Certificates, chains and requests, and the SPIFFE names in them.
    static let certificates = FuzzTarget(name: "certificates", maximumBytes: 4096) { bytes in
        if let certificate = try? Certificate(der: bytes) { exercise(certificate) }
        for certificate in (try? Certificate.chain(pem: bytes)) ?? [] { exercise(certificate) }
        if let request = try? CertificateRequest(pem: bytes) { _ = request }
        _ = try? PrivateKey(pem: bytes)
        let lists = try? RevocationList.lists(bytes, of: [trusted.authority.certificate])
        demand(lists == nil, "a list of revoked certificates of nobody was believed")
        if let principal = try? SPIFFE.principal(String(decoding: bytes, as: UTF8.self)) {
            demand(principal.path.utf8.count < 1024, "a name that is too long was taken")
        }
    } seeds: {
        let fixture = try ConsortiumFixture()
        let site = try fixture.identity(.site(SiteID("acme/osaka")!))
        return [
            try fixture.authority.revoke([site.certificate], at: fixture.now).pem(),
            site.certificate.der, try site.certificate.pem() + fixture.authority.certificate.pem(), try site.key.pem(),
            Array("spiffe://test.kumiai.example/member/acme/site/osaka".utf8),
            Array("spiffe://test.kumiai.example/operator/alice".utf8),
        ]
    }

    private static let trusted = try! ConsortiumFixture()

    private static func exercise(_ certificate: Certificate) {
        _ = try? certificate.principal()
        demand((try? trusted.roots.verify(certificate, at: trusted.now)) == nil, "a certificate of nobody was believed")
        _ = try? certificate.publicKey.isValid([1, 2, 3], for: [4])
    }

    /// Tree heads, receipts and inclusion proofs.
    static let proofs = FuzzTarget(name: "proofs", maximumBytes: 4096) { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        if let head = try? SignedTreeHead(note: text, origin: Log.origin, key: Log.keyBytes) {
            demand(text == Log.note, "another tree head than the one that was signed was believed")
            _ = head
        }
        guard let receipt = try? Receipt(wireBytes: bytes) else { return }
        demand(
            (try? receipt.verify(consortium: "t", logKey: Log.keyBytes)) == nil || receipt.entry == Log.entry,
            "an entry that is not in the log was believed"
        )
        _ = MerkleTree.root(
            of: MerkleTree.leafHash(receipt.entry),
            at: Int(truncatingIfNeeded: receipt.index),
            size: Int(truncatingIfNeeded: receipt.index &+ 1) & 0xffff,
            proof: receipt.proof
        )
    } seeds: {
        [Array(Log.note.utf8), Log.receipt.wireBytes]
    }

    /// A log of one entry, whose key is the same in each run, so that a corpus stays useful.
    private enum Log {
        static let origin = SignedTreeHead.origin(consortium: "t")
        static let key = try! PrivateKey.generate(.ed25519)
        static let keyBytes = try! key.publicKey.ed25519Bytes()
        static let entry = Samples.entries[0].wireBytes
        static let note = try! SignedTreeHead(
            TreeHead(origin: origin, size: 1, root: MerkleTree.leafHash(entry)),
            key: key
        ).note
        static let receipt = Receipt(index: 0, entry: entry, proof: [], treeHead: note)
    }
}
