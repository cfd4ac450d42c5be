import Federation
import Foundation
import TestKit
import Testing

@testable import Identity

/// The reasons for which a certificate is refused, revocation, and certificates that outlive their authority.
@Suite struct RevocationTests {
    let consortium: ConsortiumFixture
    let osaka = Principal.Role.site(SiteID("acme/osaka")!)
    init() throws { consortium = try ConsortiumFixture() }

    func later(_ days: Int) -> Timestamp { consortium.now.adding(seconds: days * 86_400) }

    func failure(_ roots: TrustRoots, _ certificate: Certificate, at time: Timestamp) -> IdentityError? {
        do {
            _ = try roots.verify(certificate, at: time)
            return nil
        } catch { return error as? IdentityError }
    }

    @Test func anErrorNamesWhoseCertificateItWasWithItsDatesAndTheClock() throws {
        let site = try consortium.identity(osaka, days: 1)
        let error = try #require(failure(consortium.roots, site.certificate, at: later(2)))
        #expect(error.refused?.principal?.site == SiteID("acme/osaka"))
        #expect(error.refused?.term == site.certificate.term)
        for part in ["member/acme/site/osaka", site.certificate.notAfter.text, later(2).text] {
            #expect(error.description.contains(part), "\(error)")
        }
    }

    @Test func nobodyIsNamedWhomTheAuthorityHasNotSigned() throws {
        let forged = try ConsortiumFixture().identity(osaka)
        let error = try #require(failure(consortium.roots, forged.certificate, at: consortium.now))
        #expect(
            error.code == .notTrusted && error.refused?.principal == nil
                && error.refused?.name == "member/acme/site/osaka"
        )
    }

    /// Otherwise a certificate that was revoked after an older list was made would be accepted again.
    @Test func anOlderListTakesNoNewersPlace() throws {
        let site = try consortium.identity(osaka)
        let first = try consortium.authority.revoke([], at: consortium.now)
        let second = try consortium.authority.revoke([site.certificate], after: first, at: later(1))
        func roots(_ lists: RevocationList...) -> TrustRoots {
            TrustRoots([consortium.authority.certificate], revocations: lists)
        }
        #expect(throws: IdentityError.self) { try roots(first).requireNoOlderRevocations(than: roots(second)) }
        #expect(throws: IdentityError.self) { try roots().requireNoOlderRevocations(than: roots(first)) }
        try roots(second).requireNoOlderRevocations(than: roots(first))
        try roots(first).requireNoOlderRevocations(than: roots())
        try roots(first, second).requireNoOlderRevocations(than: roots(second))
    }

    /// Some tools backdate their lists more than others.
    @Test func aListThatRevokesAllThatTheFormerDoesTakesItsPlace() throws {
        let osaka = try consortium.identity(osaka).certificate,
            turin = try consortium.identity(.site(SiteID("bolt/turin")!)).certificate
        let former = try consortium.authority.revoke([osaka], at: later(1))
        func roots(_ list: RevocationList) -> TrustRoots {
            TrustRoots([consortium.authority.certificate], revocations: [list])
        }
        for sound in [
            try consortium.authority.revoke([osaka], at: consortium.now),
            try consortium.authority.revoke([turin, osaka], at: consortium.now),
        ] {
            #expect(throws: Never.self) { try roots(sound).requireNoOlderRevocations(than: roots(former)) }
        }
        let lacking = try consortium.authority.revoke([turin], at: consortium.now)
        #expect(throws: IdentityError.self) { try roots(lacking).requireNoOlderRevocations(than: roots(former)) }
    }

    @Test func anEndedAuthorityIsNamedAsSuch() throws {
        let authority = try CertificateAuthority.create(
            consortium: ConsortiumFixture.name,
            days: 10,
            at: consortium.now
        )
        let key = try PrivateKey.generate()
        let site = try authority.issue(
            Principal(consortium: ConsortiumFixture.name, role: osaka),
            for: key.publicKey,
            at: consortium.now
        )
        let error = try #require(failure(TrustRoots([authority.certificate]), site, at: later(11)))
        #expect(
            error.code == .authorityEnded
                && error.description.contains("certificate authority, which issued member/acme/site/osaka"),
            "\(error)"
        )
        #expect(throws: IdentityError(.authorityEnded, "")) {
            try authority.issue(
                Principal(consortium: ConsortiumFixture.name, role: osaka),
                for: key.publicKey,
                at: later(11)
            )
        }
    }

    @Test func certificatesDoNotOutliveTheirAuthority() throws {
        let authority = try CertificateAuthority.create(
            consortium: ConsortiumFixture.name,
            days: 10,
            at: consortium.now
        )
        let key = try PrivateKey.generate()
        let site = try authority.issue(
            Principal(consortium: ConsortiumFixture.name, role: osaka),
            for: key.publicKey,
            days: 400,
            at: consortium.now
        )
        #expect(site.notAfter == authority.certificate.notAfter)
    }

    @Test(arguments: [0, -1, 36_501, Int.max]) func lifetimesThatMakeNoSenseAreRefused(days: Int) throws {
        #expect(throws: IdentityError(.malformed, "")) { try consortium.identity(osaka, days: days) }
        #expect(throws: IdentityError(.malformed, "")) {
            try CertificateAuthority.create(consortium: ConsortiumFixture.name, days: days, at: consortium.now)
        }
    }

    @Test func whatIsRevokedIsRefusedAndNothingElse() throws {
        let site = try consortium.identity(osaka), other = try consortium.identity(.operator("alice"))
        let list = try consortium.authority.revoke([site.certificate], at: consortium.now)
        let roots = TrustRoots([consortium.authority.certificate], revocations: [list])
        let error = try #require(failure(roots, site.certificate, at: consortium.now))
        #expect(error.code == .revoked && error.refused?.principal?.site == SiteID("acme/osaka"), "\(error)")
        #expect(failure(roots, other.certificate, at: consortium.now) == nil)
        // A later list contains everything in the earlier one.
        let second = try consortium.authority.revoke([other.certificate], after: list, at: later(1))
        #expect(second.contains(site.certificate) && second.contains(other.certificate))
        let renewed = try consortium.authority.revoke([], after: second, at: later(2))
        #expect(renewed.contains(site.certificate) && renewed.term.notAfter > second.term.notAfter)
    }

    @Test func aListThatIsTooOldLetsNobodyIn() throws {
        let site = try consortium.identity(osaka)
        let list = try consortium.authority.revoke([], days: 5, at: consortium.now)
        let roots = TrustRoots([consortium.authority.certificate], revocations: [list])
        #expect(failure(roots, site.certificate, at: later(4)) == nil)
        let error = try #require(failure(roots, site.certificate, at: later(6)))
        #expect(error.code == .revocationList && error.description.contains(list.term.notAfter.text), "\(error)")
    }

    @Test func eachOfTwoAuthoritiesOfOneNameHasItsOwnList() throws {
        let other = try ConsortiumFixture()
        let ours = try consortium.identity(osaka), theirs = try other.identity(osaka)
        let lists = [
            try consortium.authority.revoke([], at: consortium.now),
            try other.authority.revoke([theirs.certificate], at: other.now),
        ]
        for order in [lists, lists.reversed()] {
            let roots = TrustRoots([consortium.authority.certificate, other.authority.certificate], revocations: order)
            #expect(failure(roots, ours.certificate, at: consortium.now) == nil)
            #expect(failure(roots, theirs.certificate, at: consortium.now)?.code == .revoked)
        }
        // Without its own list, an authority's certificates cannot be checked.
        let half = TrustRoots([consortium.authority.certificate, other.authority.certificate], revocations: [lists[1]])
        #expect(failure(half, ours.certificate, at: consortium.now)?.code == .revocationList)
    }

    @Test func onlyTheAuthoritysOwnListIsRead() throws {
        let list = try ConsortiumFixture().authority.revoke([], at: consortium.now)
        #expect(throws: IdentityError(.revocationList, "")) {
            try RevocationList.lists(list.pem(), of: [consortium.authority.certificate])
        }
        #expect(throws: IdentityError(.malformed, "")) {
            try RevocationList.lists(Array("nonsense".utf8), of: [consortium.authority.certificate])
        }
        let stranger = try ConsortiumFixture().identity(osaka)
        #expect(throws: IdentityError(.notTrusted, "")) {
            try consortium.authority.revoke([stranger.certificate], at: consortium.now)
        }
    }

    @Test func opensslAgreesWithOurList() throws {
        let directory = try TemporaryDirectory()
        let site = try consortium.identity(osaka)
        try consortium.write(site, to: directory.path)
        func check() throws -> Shell.Outcome {
            try Shell.run([
                "openssl", "verify", "-crl_check", "-CAfile", directory.file("ca.pem"), "-CRLfile",
                directory.file("crl.pem"),
                directory.file("certificate.pem"),
            ])
        }
        try directory.write("crl.pem", consortium.authority.revoke([], at: consortium.now).pem())
        #expect(try check().status == 0)
        try directory.write("crl.pem", consortium.authority.revoke([site.certificate], at: consortium.now).pem())
        let revoked = try check()
        #expect(revoked.status != 0 && (revoked.error + revoked.output).contains("certificate revoked"), "\(revoked)")
        let text = try Shell.run(["openssl", "crl", "-in", directory.file("crl.pem"), "-noout", "-text"]).output
        #expect(
            text.contains("Version 2") && text.contains("CRL Number") && text.contains("Authority Key Identifier"),
            "\(text)"
        )
    }
}
