import Blobs
import Coordinator
import Federation
import Foundation
import Identity
import TestKit
import Testing
import Transport
import Worker

/// Certificates and keys are renewed and revoked while services run.
@Suite(.serialized) struct RenewalTests: CertificateFixture {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    /// The certificate ends during an upload, and is renewed before that: nothing is restarted, nothing is sent twice,
    /// and the update that was signed with the old certificate counts.
    @Test func aSiteRenewsItsCertificateInTheMiddleOfAnUpload() async throws {
        let bytes = 48 << 20
        let consortium = try Consortium(
            sites: 1,
            rounds: 1,
            baseModel: try Consortium.model(bytes: bytes, in: directory)
        )
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        try consortium.reissue("acme-osaka", endingIn: 15)
        let former = try consortium.directory.read("acme-osaka/certificate.pem")
        let link = FaultyLink(to: consortium.port)
        defer { link.close() }
        var configuration = consortium.workerConfiguration(0, port: link.port)
        // The update takes 25 s.
        configuration.upload = TransferPolicy(megabitsPerSecond: 16)
        let site = try SyntheticSite(configuration)
        site.start()
        #expect(consortium.wait { site.log.contains("a certificate ends") }, "\(site.log.all)")
        #expect(consortium.wait { link.bytesUp > 4 << 20 }, "\(site.log.all)")
        try consortium.kumiai("pki", "renew", consortium.path("acme-osaka"), "--ca", consortium.path("pki"))
        #expect(consortium.wait(seconds: 10) { site.log.contains("certificates reloaded") }, "\(site.log.all)")
        #expect(
            consortium.wait(seconds: 30) {
                consortium.log("coordinator").contains("its certificate is no longer valid")
            },
            "\(consortium.log("coordinator"))"
        )
        try #require(consortium.waitForEnd(seconds: 90), "\(site.log.all.suffix(8)) \(consortium.log("coordinator"))")
        #expect(
            consortium.campaign["updates_accepted"] as? Int == 1 && consortium.campaign["updates_refused"] as? Int == 0
        )
        #expect(site.log.contains("the update was signed again"), "\(site.log.all)")
        // The upload resumed where it was: only the bytes in flight at the cut were sent twice.
        #expect(link.bytesUp < bytes + bytes / 20, "\(link.bytesUp)")
        await site.stop()
        #expect(try consortium.directory.read("acme-osaka/certificate.pem") != former)
        let audit = try consortium.finish(coordinator)
        #expect(audit.status == 0, "\(audit.output)")
        let receipts = try consortium.attempt([
            "audit", "verify", consortium.data, "--ca", consortium.authority, "--witness",
            consortium.path("acme-osaka/data/receipts"),
        ])
        #expect(receipts.status == 0, "\(receipts.output)")
    }

    @Test func aCoordinatorTakesARenewedCertificateAndItsConnectionsStay() async throws {
        let consortium = try Consortium(sites: 1)
        let coordinator = try consortium.startCoordinator()
        let worker = try consortium.startWorker(0)
        #expect(
            consortium.wait { consortium.log("acme-osaka").contains("connected consortium") },
            "\(consortium.log("acme-osaka"))"
        )
        let before = consortium.log("acme-osaka")
        let dialer = try consortium.operatorDialer()
        let former = try await dialer.withConnection(.control, software: "test") { $0.certificate?.digest }
        try consortium.kumiai(
            "pki",
            "renew",
            consortium.path("coordinator"),
            "--ca",
            consortium.path("pki"),
            "--days",
            "400"
        )
        #expect(
            consortium.wait(seconds: 15) { consortium.log("coordinator").contains("certificates reloaded") },
            "\(consortium.log("coordinator"))"
        )
        let newer = try await dialer.withConnection(.control, software: "test") { $0.certificate?.digest }
        #expect(former != nil && newer != nil && newer != former)
        #expect(try newer == Certificate(pem: consortium.directory.read("coordinator/certificate.pem")).digest)
        try await Task.sleep(for: .seconds(3))
        #expect(
            !consortium.log("acme-osaka").dropFirst(before.count).contains("not connected"),
            "\(consortium.log("acme-osaka"))"
        )
        #expect(consortium.stop(worker) == 0)
        #expect(consortium.stop(coordinator) == 0)
    }

    @Test func aBrokenCertificateIsNamedInTheLogAndTheFormerStaysInUse() throws {
        let consortium = try Consortium(sites: 1)
        let coordinator = try consortium.startCoordinator()
        #expect(consortium.wait { consortium.log("coordinator").contains("listening") })
        let whole = try consortium.directory.read("coordinator/certificate.pem")
        try consortium.directory.write("coordinator/certificate.pem", Array(whole.prefix(300)))
        #expect(
            consortium.wait(seconds: 15) { consortium.log("coordinator").contains("certificates were not reloaded") },
            "\(consortium.log("coordinator"))"
        )
        #expect(consortium.log("coordinator").contains(consortium.path("coordinator/certificate.pem")))
        #expect(try consortium.status()["consortium"] != nil)
        // Another participant's certificate.
        try consortium.directory.write(
            "coordinator/certificate.pem",
            consortium.directory.read("operator/certificate.pem")
        )
        #expect(
            consortium.wait(seconds: 15) {
                consortium.log("coordinator").contains(
                    "is the certificate of spiffe://test.kumiai.example/operator/alice"
                )
            },
            "\(consortium.log("coordinator"))"
        )
        #expect(try consortium.status()["consortium"] != nil)
        try consortium.directory.write("coordinator/certificate.pem", whole)
        #expect(
            consortium.wait(seconds: 15) { consortium.log("coordinator").contains("certificates reloaded") },
            "\(consortium.log("coordinator"))"
        )
        #expect(consortium.stop(coordinator) == 0)
    }

    @Test func renewingKeepsTheKeyAndTheOldCertificate() throws {
        let consortium = try Consortium(sites: 1)
        func certificate() throws -> Certificate {
            try Certificate(pem: consortium.directory.read("operator/certificate.pem"))
        }
        let key = try consortium.directory.read("operator/key.pem"), first = try certificate()
        let renewed = try consortium.kumiai(
            "pki",
            "renew",
            consortium.path("operator"),
            "--ca",
            consortium.path("pki"),
            "--days",
            "30"
        )
        #expect(renewed.output.contains("operator/alice"), "\(renewed.output)")
        #expect(try consortium.directory.read("operator/key.pem") == key)
        #expect(
            try certificate().digest != first.digest && certificate().publicKey == first.publicKey
                && certificate().principal() == first.principal()
        )
        let kept = try FileManager.default.contentsOfDirectory(atPath: consortium.path("operator")).filter {
            $0.hasPrefix("certificate-")
        }
        #expect(
            try kept.map { try Certificate(pem: consortium.directory.read("operator/\($0)")).digest } == [first.digest]
        )
        // The key is elsewhere: make a request for it, and a certificate that replaces the old one.
        let second = try certificate()
        try consortium.kumiai("pki", "request", "operator/alice", "--out", consortium.path("operator"))
        #expect(try consortium.directory.read("operator/key.pem") == key)
        try consortium.kumiai(
            "pki",
            "issue",
            "operator/alice",
            "--ca",
            consortium.path("pki"),
            "--request",
            consortium.path("operator/request.pem"),
            "--out",
            consortium.path("operator")
        )
        #expect(try certificate().digest != second.digest && certificate().publicKey == first.publicKey)
        // The same request is replaced; a request for another key is kept.
        try consortium.kumiai("pki", "request", "operator/alice", "--out", consortium.path("operator"))
        try consortium.kumiai("pki", "request", "operator/bob", "--out", consortium.path("bob"))
        let request = try consortium.directory.read("operator/request.pem")
        try FileManager.default.removeItem(atPath: consortium.path("bob/key.pem"))
        let orphan = try consortium.attempt(["pki", "request", "operator/bob", "--out", consortium.path("bob")])
        #expect(orphan.status == 6 && orphan.error.contains("not a request for this key"), "\(orphan.error)")
        #expect(!FileManager.default.fileExists(atPath: consortium.path("bob/key.pem")))
        #expect(try consortium.directory.read("operator/request.pem") == request)
        // The certificate of another identity is not replaced.
        let other = try consortium.attempt([
            "pki", "issue", "operator/eve", "--ca", consortium.path("pki"), "--request",
            consortium.path("operator/request.pem"),
            "--out",
            consortium.path("operator"),
        ])
        #expect(other.status == 6 && other.error.contains("another identity"), "\(other.error)")
        // Neither is a certificate that another CA issued.
        try consortium.kumiai("pki", "ca", "--consortium", "test.kumiai.example", "--out", consortium.path("other"))
        let foreign = try consortium.attempt([
            "pki", "renew", consortium.path("operator"), "--ca", consortium.path("other"),
        ])
        #expect(foreign.status == 6 && foreign.error.contains("was not issued by the CA"), "\(foreign.error)")
    }

    /// A revoked key may be compromised: all of its certificates are revoked, and no new one is issued for it.
    @Test func aRevokedKeyStaysRevoked() throws {
        let consortium = try Consortium(sites: 1)
        let pki = consortium.path("pki"), site = consortium.path("acme-osaka")
        let first = try Certificate(pem: consortium.directory.read("acme-osaka/certificate.pem"))
        try consortium.kumiai("pki", "renew", site, "--ca", pki)
        let renewed = try Certificate(pem: consortium.directory.read("acme-osaka/certificate.pem"))
        let revoked = try consortium.kumiai("pki", "revoke", site, "--ca", pki)
        #expect(
            revoked.output.contains("another certificate of the same key, serial \(first.serial)"),
            "\(revoked.output)"
        )
        let list = try RevocationList.lists(
            consortium.directory.read("pki/crl.pem"),
            of: [consortium.certificateAuthority().certificate]
        )[0]
        #expect(list.contains(first) && list.contains(renewed))
        // A remedy that keeps the same key does not work.
        let request = try consortium.kumiai("pki", "request", "member/acme/site/osaka", "--out", site)
        #expect(request.error.contains("the request is for it"), "\(request.error)")
        for out in [site, consortium.path("elsewhere")] {
            let issued = try consortium.attempt(
                [
                    "pki", "issue", "member/acme/site/osaka", "--ca", pki, "--request", site + "/request.pem", "--out",
                    out,
                ])
            #expect(issued.status == 6 && issued.error.contains("was revoked, serial"), "\(issued)")
        }
        // Also if the CA has no copies of its certificates, as in earlier versions.
        try FileManager.default.removeItem(atPath: pki + "/issued")
        let again = try consortium.attempt([
            "pki", "issue", "member/acme/site/osaka", "--ca", pki, "--request", site + "/request.pem", "--out", site,
        ])
        #expect(again.status == 6 && again.error.contains("was revoked, serial"), "\(again)")
        let fresh = consortium.path("fresh")
        try consortium.kumiai("pki", "request", "member/acme/site/osaka", "--out", fresh)
        try consortium.kumiai(
            "pki",
            "issue",
            "member/acme/site/osaka",
            "--ca",
            pki,
            "--request",
            fresh + "/request.pem",
            "--out",
            fresh
        )
    }

    @Test func lifetimesThatMakeNoSenseAreRefusedAndNoneIsLongerThanTheCAs() throws {
        let consortium = try Consortium(sites: 1)
        for days in ["0", "-3", "36501"] {
            for command in [
                ["pki", "renew", consortium.path("operator"), "--ca", consortium.path("pki")],
                ["pki", "revoke", "--ca", consortium.path("pki")],
                ["pki", "issue", "operator/bob", "--ca", consortium.path("pki"), "--out", consortium.path("bob")],
                ["pki", "ca", "--consortium", "short.example", "--out", consortium.path("short")],
            ] {
                let outcome = try consortium.attempt(command + ["--days=\(days)"])
                #expect(outcome.status == 64 && outcome.error.contains("expected 1 to 36500"), "\(outcome.error)")
            }
        }
        #expect(
            !FileManager.default.fileExists(atPath: consortium.path("bob"))
                && !FileManager.default.fileExists(atPath: consortium.path("short"))
        )
        try consortium.kumiai(
            "pki",
            "ca",
            "--consortium",
            "short.example",
            "--out",
            consortium.path("short"),
            "--days",
            "10"
        )
        let cut = try consortium.kumiai(
            "pki",
            "issue",
            "operator/bob",
            "--ca",
            consortium.path("short"),
            "--out",
            consortium.path("bob"),
            "--days",
            "400"
        )
        #expect(cut.error.contains("ends with its CA"), "\(cut.error)")
        #expect(
            try Certificate(pem: consortium.directory.read("bob/certificate.pem")).notAfter
                == Certificate(pem: consortium.directory.read("short/ca.pem")).notAfter
        )
    }
}
