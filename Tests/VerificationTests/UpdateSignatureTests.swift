import Federation
import Identity
import TestKit
import Testing

@testable import Verification

/// The coordinator and all auditors use the same check of an update's signature.
@Suite struct UpdateSignatureTests {
    let consortium: ConsortiumFixture
    init() throws { consortium = try ConsortiumFixture() }

    static let osaka = SiteID("acme/osaka")!

    private func update(of site: SiteID = osaka, signedBy key: PrivateKey, _ certificate: Certificate) throws
        -> SignedUpdate
    {
        let manifest = UpdateManifest(
            campaign: CampaignID("c")!,
            key: RoundKey(round: 1, attempt: 1),
            site: site,
            model: Digest(of: "m"),
            update: Digest(of: "u"),
            updateByteCount: 1,
            layout: Digest(of: "l"),
            samples: 1,
            localLoss: 0,
            createdAt: consortium.now
        )
        let bytes = Array("manifest".utf8)
        return SignedUpdate(
            manifest: manifest,
            manifestBytes: bytes,
            signature: try key.sign(SignedUpdate.statement(bytes)),
            certificate: certificate.der
        )
    }

    private func problem(
        _ update: SignedUpdate,
        consortium name: String = ConsortiumFixture.name,
        at time: Timestamp? = nil
    ) -> String? {
        do {
            try UpdateSignature.verify(update, consortium: name, roots: consortium.roots, at: time ?? consortium.now)
            return nil
        } catch { return "\(error)" }
    }

    @Test func theSiteOfTheManifestMustHaveSigned() throws {
        let osaka = try consortium.identity(.site(Self.osaka)),
            turin = try consortium.identity(.site(SiteID("bolt/turin")!))
        let sound = try update(signedBy: osaka.key, osaka.certificate)
        #expect(problem(sound) == nil)
        #expect(problem(try update(signedBy: turin.key, turin.certificate))?.contains("signed by") == true)
        #expect(problem(try update(signedBy: turin.key, osaka.certificate))?.contains("is wrong") == true)
        #expect(problem(sound, consortium: "another.example")?.contains("signed by") == true)
        #expect(problem(sound, at: consortium.now.adding(seconds: 400 * 86_400))?.contains("certificate") == true)
    }

    /// A regression: an auditor accepted such a signature, and the coordinator did not.
    @Test func aKeyOfAnotherKindSignsNothing() throws {
        let key = try PrivateKey.generate(.ed25519)
        let certificate = try consortium.authority.issue(
            Principal(consortium: ConsortiumFixture.name, role: .site(Self.osaka)),
            for: key.publicKey,
            at: consortium.now
        )
        #expect(problem(try update(signedBy: key, certificate))?.contains("not ECDSA P-256") == true)
    }
}
