import Federation
import Foundation
import TestKit
import Testing

@testable import Identity

/// Certificates, SPIFFE identities and keys.
@Suite struct CertificateTests {
    let consortium: ConsortiumFixture
    init() throws { consortium = try ConsortiumFixture() }

    static let roles: [Principal.Role] = [
        .site(SiteID("acme/osaka")!), .operator("alice"), .auditor("bob"), .coordinator("main"),
    ]

    @Test(arguments: roles)
    func issuedCertificatesCarryTheirRole(role: Principal.Role) throws {
        let identity = try consortium.identity(role)
        #expect(try consortium.roots.verify(identity.certificate, at: consortium.now).role == role)
        #expect(try identity.certificate.matches(identity.key))
        #expect(
            identity.certificate.uris == ["spiffe://test.kumiai.example/\(Principal(consortium: "x", role: role).path)"]
        )
    }

    @Test func expiredAndNotYetValidCertificatesAreToldApart() throws {
        let identity = try consortium.identity(.operator("alice"), days: 1)
        #expect(throws: IdentityError(.expired, "")) {
            try consortium.roots.verify(identity.certificate, at: consortium.now.adding(seconds: 2 * 86_400))
        }
        let early = Timestamp(milliseconds: consortium.now.milliseconds - 7_200_000)
        #expect(throws: IdentityError(.notYetValid, "")) {
            try consortium.roots.verify(identity.certificate, at: early)
        }
    }

    @Test func certificatesOfAnotherAuthorityAreNotTrusted() throws {
        let other = try ConsortiumFixture().identity(.operator("alice"))
        #expect(throws: IdentityError(.notTrusted, "")) {
            try consortium.roots.verify(other.certificate, at: consortium.now)
        }
    }

    @Test func theAuthorityItselfNeverAuthenticates() throws {
        #expect(throws: IdentityError.self) { try consortium.authority.certificate.principal() }
    }

    @Test(arguments: [
        nil, "DNS:example.org", "URI:spiffe://t/operator/a,URI:spiffe://t/operator/b", "URI:https://t/operator/a",
        "URI:spiffe://t/operator/a%20b", "URI:spiffe://t:443/operator/a", "URI:spiffe://t/operator/a/",
        "URI:spiffe://t//a",
        "URI:spiffe://t/operator/..", "URI:spiffe://T/operator/a", "URI:spiffe://t", "URI:spiffe://t/member/m",
        "URI:spiffe://t/operator/a?b",
    ])
    func certificatesWithoutExactlyOneIdentityAreRefused(names: String?) throws {
        let identity = try consortium.identity(alternativeNames: names)
        #expect(throws: IdentityError(.wrongIdentity, "")) {
            try consortium.roots.verify(identity.certificate, at: consortium.now)
        }
    }

    @Test func opensslAgreesWithOurCertificates() throws {
        let directory = try TemporaryDirectory()
        try consortium.write(try consortium.identity(.site(SiteID("acme/osaka")!)), to: directory.path)
        let outcome = try Shell.run([
            "openssl", "verify", "-x509_strict", "-CAfile", directory.file("ca.pem"), directory.file("certificate.pem"),
        ])
        #expect(outcome.status == 0, "\(outcome.error)")
    }

    @Test func requestsCertifyAKeyThatStaysWhereItIs() throws {
        let key = try PrivateKey.generate()
        let request = try CertificateRequest(pem: CertificateRequest.pem(for: key, commonName: "x"))
        let certificate = try consortium.authority.issue(
            Principal(consortium: ConsortiumFixture.name, role: .auditor("bob")),
            for: request.publicKey,
            at: consortium.now
        )
        #expect(try certificate.matches(key))
        #expect(throws: IdentityError.self) { try CertificateRequest(pem: Array("nonsense".utf8)) }
    }

    @Test(arguments: [PrivateKey.Kind.p256, .ed25519])
    func signaturesHoldForTheirMessageOnly(kind: PrivateKey.Kind) throws {
        let key = try PrivateKey(pem: PrivateKey.generate(kind).pem())
        var signature = try key.sign([1, 2, 3])
        #expect(key.publicKey.isValid(signature, for: [1, 2, 3]))
        #expect(!key.publicKey.isValid(signature, for: [1, 2, 4]))
        #expect(try !PrivateKey.generate(kind).publicKey.isValid(signature, for: [1, 2, 3]))
        signature[signature.count - 1] ^= 1
        #expect(!key.publicKey.isValid(signature, for: [1, 2, 3]))
        #expect(!key.publicKey.isValid([], for: [1, 2, 3]))
    }

    @Test func hostileBytesAreNoCertificates() throws {
        let der = try consortium.identity(.operator("alice")).certificate.der
        #expect(throws: IdentityError.self) { try Certificate(der: []) }
        #expect(throws: IdentityError.self) { try Certificate(der: der + [0]) }
        #expect(throws: IdentityError.self) {
            try Certificate(der: [UInt8](repeating: 0x30, count: Certificate.maximumBytes + 1))
        }
        for count in stride(from: 0, to: der.count, by: 7) {
            #expect(throws: IdentityError.self) { try Certificate(der: Array(der.prefix(count))) }
        }
        #expect(throws: IdentityError.self) {
            try Certificate(pem: Array("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".utf8))
        }
    }

    @Test func digestsAreSHA256() {
        #expect(Digest(of: "abc").hex == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(Digest(of: "").hex == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    }
}
