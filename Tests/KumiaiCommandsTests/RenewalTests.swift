import Blobs
import Coordinator
import Federation
import Foundation
import Identity
import TestKit
import Testing
import Transport
import Worker

/// Certificates that are renewed, ended, revoked, or readable by others, with real processes.
@Suite(.serialized) struct RenewalTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }
    func status(_ consortium: Consortium, _ name: String) throws -> Shell.Outcome {
        try consortium.directory.write("\(name)/operator.toml", consortium.directory.read("operator/operator.toml"))
        return try consortium.attempt(["coordinator", "status", "--config", consortium.path("\(name)/operator.toml")])
    }

    func fail(_ what: Comment) { Issue.record(what) }

    // MARK: Renewal

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

    // MARK: Ended, not yet valid, revoked

    @Test func anEndedSiteIsNamedOnBothSidesAndComesBackWhenItIsRenewed() throws {
        let consortium = try Consortium(sites: 1)
        let coordinator = try consortium.startCoordinator()
        #expect(consortium.wait { consortium.log("coordinator").contains("listening") })
        try consortium.reissue("acme-osaka", endingIn: 12)
        let end = try Certificate(pem: consortium.directory.read("acme-osaka/certificate.pem")).notAfter.text
        let worker = try consortium.startWorker(0)
        #expect(
            consortium.wait { consortium.log("acme-osaka").contains("connected consortium") },
            "\(consortium.log("acme-osaka"))"
        )
        #expect(
            consortium.wait(seconds: 30) { consortium.log("coordinator").contains("a peer's certificate was refused") },
            "\(consortium.log("coordinator"))"
        )
        let line =
            consortium.log("coordinator").split(separator: "\n").first {
                $0.contains("a peer's certificate was refused")
            } ?? ""
        #expect(
            line.contains("peer=member/acme/site/osaka") && line.contains("valid_until=\(end)")
                && line.contains("the certificate has expired"),
            "\(line)"
        )
        func workerStatus() -> [String: Any] {
            let outcome = try? consortium.attempt([
                "worker", "status", "--json", "--config", consortium.path("acme-osaka/worker.toml"),
            ])
            return
                ((try? JSONSerialization.jsonObject(with: Data((outcome?.output ?? "").utf8)) as? [String: Any]) ?? [:])[
                    "status"
                ] as? [String: Any] ?? [:]
        }
        #expect(
            consortium.wait { (workerStatus()["trouble"] as? String)?.contains("our certificate has expired") == true },
            "\(workerStatus())"
        )
        let trouble = workerStatus()["trouble"] as? String ?? ""
        #expect(
            trouble.contains(end) && trouble.contains("this machine's clock says") && trouble.contains("pki renew"),
            "\(trouble)"
        )
        #expect(
            consortium.wait { (workerStatus()["certificate_notice"] as? String)?.contains("ended at \(end)") == true },
            "\(workerStatus())"
        )
        #expect(try mode(consortium.path("acme-osaka/data")) == 0o700)
        // Renewed after its end, without any restart.
        try consortium.kumiai("pki", "renew", consortium.path("acme-osaka"), "--ca", consortium.path("pki"))
        #expect(
            consortium.wait { consortium.log("acme-osaka").components(separatedBy: "connected consortium").count == 3 },
            "\(consortium.log("acme-osaka"))"
        )
        #expect(
            consortium.wait { workerStatus()["trouble"] == nil && workerStatus()["certificate_notice"] == nil },
            "\(workerStatus())"
        )
        #expect(consortium.stop(worker) == 0)
        // If the worker does not run, the certificate's file is read.
        try consortium.reissue("acme-osaka", endingIn: 7000)
        let stopped = try consortium.attempt([
            "worker", "status", "--config", consortium.path("acme-osaka/worker.toml"),
        ])
        #expect(stopped.output.contains("this site's certificate ends in 1 hour"), "\(stopped.output)")
        #expect(consortium.stop(coordinator) == 0)
    }

    @Test func aSiteWhoseClockIsWrongIsShownBothClocks() async throws {
        let consortium = try Consortium(sites: 1, baseModel: try Consortium.model(bytes: 1 << 20, in: directory))
        let coordinator = try consortium.startCoordinator()
        #expect(consortium.wait { consortium.log("coordinator").contains("listening") })
        let right = try SyntheticSite(consortium.workerConfiguration(0))
        right.start()
        #expect(consortium.wait { right.log.contains("connected") })
        await right.stop()
        #expect(!right.log.contains("the clocks differ"), "\(right.log.all)")
        let ahead = try SyntheticSite(consortium.workerConfiguration(0), clockAheadSeconds: 600)
        ahead.start()
        #expect(
            consortium.wait {
                ahead.log.contains("the clocks differ by 6") || ahead.log.contains("the clocks differ by 59")
            },
            "\(ahead.log.all)"
        )
        await ahead.stop()
        let status = try #require(try WorkerStatus.read(from: consortium.path("acme-osaka/data")))
        let notice = try #require(status.clockNotice)
        #expect(
            notice.contains("the coordinator's clock was at 20")
                && notice.contains("when this machine's clock was at 20"),
            "\(notice)"
        )
        let shown = try consortium.attempt(["worker", "status", "--config", consortium.path("acme-osaka/worker.toml")])
        #expect(shown.output.contains("clocks:") && shown.output.contains("certificate: until"), "\(shown.output)")
        #expect(consortium.stop(coordinator) == 0)
    }

    @Test func theDoctorSpeaksOfACertificateThatEnds() throws {
        let consortium = try Consortium(sites: 1)
        let ask = ["worker", "doctor", "--config", consortium.path("acme-osaka/worker.toml")]
        #expect(try consortium.attempt(ask).output.contains("ok    certificate's end: not before"))
        try consortium.reissue("acme-osaka", endingIn: 2 * 86_400)
        let warned = try consortium.attempt(ask)
        #expect(warned.output.contains("WARN  certificate's end: this site's certificate ends in"), "\(warned.output)")
        try consortium.reissue("acme-osaka", endingIn: 18_000)
        let doctor = try consortium.attempt(ask)
        #expect(
            doctor.output.contains("FAIL  certificate's end: this site's certificate ends in 4 hours"),
            "\(doctor.output)"
        )
        #expect(doctor.output.contains("pki renew"), "\(doctor.output)")
    }

    @Test func aCertificateThatIsNotValidYetIsNamedAndLaidToTheClocks() throws {
        let consortium = try Consortium(sites: 1)
        let coordinator = try consortium.startCoordinator()
        #expect(consortium.wait { consortium.log("coordinator").contains("listening") })
        try consortium.reissue("operator", beginningIn: 86_400)
        let begin = try Certificate(pem: consortium.directory.read("operator/certificate.pem")).notBefore.text
        let refused = try status(consortium, "operator")
        #expect(
            refused.status == 5 && refused.error.contains("from \(begin)") && refused.error.contains("clock"),
            "\(refused.error)"
        )
        #expect(
            consortium.wait { consortium.log("coordinator").contains("peer=operator/alice") },
            "\(consortium.log("coordinator"))"
        )
        #expect(
            consortium.log("coordinator").contains("valid_from=\(begin)")
                && consortium.log("coordinator").contains("not valid yet")
        )
        #expect(consortium.stop(coordinator) == 0)
        try consortium.reissue("acme-osaka", beginningIn: 86_400)
        let worker = try consortium.attempt(["worker", "run", "--config", consortium.path("acme-osaka/worker.toml")])
        #expect(
            worker.status == 6 && worker.error.contains("not valid yet")
                && worker.error.contains("acme-osaka/certificate.pem"),
            "\(worker.error)"
        )
        #expect(worker.error.contains("clock"), "\(worker.error)")
    }

    @Test func whoIsRevokedIsPutOutAndAnOldListLetsNobodyIn() throws {
        let consortium = try Consortium(sites: 1)
        try consortium.kumiai("pki", "revoke", "--ca", consortium.path("pki"))
        try consortium.directory.write("coordinator/crl.pem", consortium.directory.read("pki/crl.pem"))
        try consortium.edit("coordinator/coordinator.toml", "crl = \"\"", "crl = \"crl.pem\"")
        let coordinator = try consortium.startCoordinator()
        let worker = try consortium.startWorker(0)
        #expect(
            consortium.wait { consortium.log("acme-osaka").contains("connected consortium") },
            "\(consortium.log("acme-osaka"))"
        )
        // A connected site is disconnected.
        let revoked = try consortium.kumiai(
            "pki",
            "revoke",
            consortium.path("acme-osaka"),
            "--ca",
            consortium.path("pki")
        )
        #expect(revoked.output.contains("member/acme/site/osaka"), "\(revoked.output)")
        try consortium.directory.write("coordinator/crl.pem", consortium.directory.read("pki/crl.pem"))
        #expect(
            consortium.wait(seconds: 20) {
                consortium.log("coordinator").contains("its certificate is no longer valid")
            },
            "\(consortium.log("coordinator"))"
        )
        #expect(
            consortium.wait(seconds: 20) { consortium.log("acme-osaka").contains("our certificate was revoked") },
            "\(consortium.log("acme-osaka"))"
        )
        #expect(consortium.log("coordinator").contains("the certificate was revoked"))
        #expect(try status(consortium, "auditor").status == 0)
        let again = try consortium.attempt([
            "pki", "renew", consortium.path("acme-osaka"), "--ca", consortium.path("pki"),
        ])
        #expect(again.status == 6 && again.error.contains("was revoked"), "\(again.error)")
        let shown = try consortium.attempt([
            "pki", "show", consortium.path("acme-osaka/certificate.pem"), "--ca", consortium.authority, "--crl",
            consortium.path("pki/crl.pem"),
        ])
        #expect(shown.status == 1 && shown.output.contains("revoked"), "\(shown.output)")
        #expect(consortium.stop(worker) == 0)
        #expect(consortium.stop(coordinator) == 0)
        // A list that was not renewed.
        let now = ConsortiumFixture.systemTime()
        let old = try consortium.certificateAuthority().revoke(
            [],
            days: 1,
            at: Timestamp(milliseconds: now.milliseconds - 3 * 86_400_000)
        )
        try consortium.directory.write("coordinator/crl.pem", old.pem())
        let stale = try consortium.attempt([
            "coordinator", "run", "--config", consortium.path("coordinator/coordinator.toml"),
        ])
        #expect(
            stale.status == 6 && stale.error.contains("the list of revoked certificates is not valid")
                && stale.error.contains("pki revoke"),
            "\(stale.error)"
        )
    }

    /// Open connections must not outlive a list whose end stops new connections.
    @Test func whenTheListOfRevokedCertificatesEndsOpenConnectionsEndToo() throws {
        let consortium = try Consortium(sites: 1)
        let now = ConsortiumFixture.systemTime()
        let list = try consortium.certificateAuthority().revoke(
            [],
            days: 1,
            at: Timestamp(milliseconds: now.milliseconds - 86_400_000 + 12_000)
        )
        try consortium.directory.write("coordinator/crl.pem", list.pem())
        try consortium.edit("coordinator/coordinator.toml", "crl = \"\"", "crl = \"crl.pem\"")
        let coordinator = try consortium.startCoordinator()
        let worker = try consortium.startWorker(0)
        try #require(
            consortium.wait { consortium.log("acme-osaka").contains("connected consortium") },
            "\(consortium.log("acme-osaka"))"
        )
        #expect(!consortium.log("coordinator").contains("its certificate is no longer valid"))
        #expect(
            consortium.wait(seconds: 30) {
                consortium.log("coordinator").contains("its certificate is no longer valid")
            },
            "\(consortium.log("coordinator"))"
        )
        // With a newer list, the site is admitted again.
        try consortium.directory.write(
            "coordinator/crl.pem",
            consortium.certificateAuthority().revoke([], after: list, at: now).pem()
        )
        #expect(
            consortium.wait(seconds: 60) {
                consortium.log("acme-osaka").components(separatedBy: "connected consortium").count > 2
            },
            "\(consortium.log("acme-osaka"))"
        )
        #expect(consortium.stop(worker) == 0 && consortium.stop(coordinator) == 0)
    }

    /// An update that was signed under the old certificate and is sent over a connection with the renewed one.
    @Test func anUpdateSignedBeforeARenewalIsNoForgery() throws {
        let fixture = try ConsortiumFixture()
        let site = Principal(consortium: ConsortiumFixture.name, role: .site(SiteID("acme/osaka")!))
        let key = try PrivateKey.generate()
        let first = try fixture.authority.issue(site, for: key.publicKey, at: fixture.now)
        let renewed = try fixture.authority.issue(site, for: key.publicKey, at: fixture.now)
        let stranger = try fixture.identity(.site(SiteID("bolt/turin")!))
        let sample = UpdateManifest(
            campaign: CampaignID("c")!,
            key: RoundKey(round: 1, attempt: 1),
            site: SiteID("acme/osaka")!,
            model: Digest(of: "m"),
            update: Digest(of: "u"),
            updateByteCount: 1,
            layout: Digest(of: "l"),
            samples: 1,
            localLoss: 0,
            createdAt: fixture.now
        )
        let bytes = Array("manifest".utf8)
        let update = SignedUpdate(
            manifest: sample,
            manifestBytes: bytes,
            signature: try key.sign(SignedUpdate.statement(bytes)),
            certificate: first.der
        )
        func refusal(_ connection: Certificate, at time: Timestamp, roots: TrustRoots? = nil) throws -> Inspection {
            let plan = Plan(
                campaign: sample.campaign,
                base: ModelName("a")!,
                release: ModelName("b")!,
                sites: [sample.site],
                rounds: 1,
                quorum: 1,
                recruitingSeconds: 1,
                deadlineSeconds: 1,
                maximumAttempts: 1,
                strategy: .fedAvg(learningRate: 1),
                bounds: Bounds(weight: 1, norm: 1),
                training: Training(localSteps: 1, batch: 1, learningRate: 1)
            )
            let inspector = UpdateInspection(
                blobs: try BlobStore(directory: directory.file("blobs")),
                uploads: try BlobStore(directory: directory.file("uploads")),
                plan: plan,
                roots: roots ?? fixture.roots
            )
            return inspector.inspect(update, certificate: connection, at: time)
        }
        // The signature is valid; only the blob is missing.
        for connection in [first, renewed] {
            guard case .unsound(let found) = try refusal(connection, at: fixture.now) else {
                return fail("nothing is missing")
            }
            #expect(found.reason == .blobMissing, "\(found)")
        }
        guard case .unsound(let found) = try refusal(stranger.certificate, at: fixture.now) else {
            return fail("a stranger's is taken")
        }
        #expect(
            found.reason == .badSignature && found.detail.contains("not signed by the site of this connection"),
            "\(found)"
        )
        // The connection's certificate has just ended: the update waits for the next connection.
        guard case .unavailable = try refusal(first, at: fixture.now.adding(seconds: 400 * 86_400)) else {
            return fail("an ended one is judged")
        }
        // A list that is too old is the coordinator's problem.
        let list = try fixture.authority.revoke([], days: 1, at: fixture.now)
        let roots = TrustRoots([fixture.authority.certificate], revocations: [list])
        guard case .unavailable = try refusal(first, at: fixture.now.adding(seconds: 3 * 86_400), roots: roots) else {
            Issue.record("an old list is held against the site")
            return
        }
    }

    // MARK: Keys and passwords

    @Test func aKeyThatWasMovedAwayIsNotReplacedByOneThatFitsNothing() throws {
        let consortium = try Consortium(sites: 1)
        for (key, command) in [
            (
                "operator/key.pem",
                [
                    "pki", "issue", "operator/alice", "--ca", consortium.path("pki"), "--out",
                    consortium.path("operator"),
                ]
            ),
            ("pki/ca.key", ["pki", "ca", "--consortium", "test.kumiai.example", "--out", consortium.path("pki")]),
        ] {
            let kept = consortium.path("kept.key")
            try FileManager.default.moveItem(atPath: consortium.path(key), toPath: kept)
            let outcome = try consortium.attempt(command)
            #expect(outcome.status == 6 && outcome.error.contains("nothing was overwritten"), "\(outcome.error)")
            #expect(!FileManager.default.fileExists(atPath: consortium.path(key)))
            try FileManager.default.moveItem(atPath: kept, toPath: consortium.path(key))
        }
    }

    @Test func initOverALedgerThatIsMissingTouchesNoKey() throws {
        let consortium = try Consortium(sites: 1)
        let key = try consortium.directory.read("coordinator/data/log.key")
        for name in try FileManager.default.contentsOfDirectory(atPath: consortium.data) where name.hasPrefix("ledger.")
        {
            try FileManager.default.removeItem(atPath: "\(consortium.data)/\(name)")
        }
        let again = try consortium.attempt([
            "coordinator", "init", consortium.path("coordinator"), "--base-model",
            Repository.example("base/state.safetensors"),
            "--name", "FY2026",
        ])
        #expect(
            again.status == 1 && again.error.contains("log.key") && again.error.contains("restore ledger.sqlite"),
            "\(again.error)"
        )
        #expect(try consortium.directory.read("coordinator/data/log.key") == key)
        #expect(!FileManager.default.fileExists(atPath: consortium.data + "/ledger.sqlite"))
        let run = try consortium.attempt([
            "coordinator", "run", "--config", consortium.path("coordinator/coordinator.toml"),
        ])
        #expect(run.status == 1 && run.error.contains("restore ledger.sqlite"), "\(run.error)")
    }

    @Test func whatOthersCanReadIsRefusedOrNeverWritten() throws {
        let consortium = try Consortium(sites: 1)
        for name in ["coordinator/data", "coordinator/data/blobs", "coordinator/data/releases"] {
            #expect(try mode(consortium.path(name)) == 0o700, "\(name)")
        }
        let worker = consortium.path("acme-osaka/worker.toml")
        #expect(try mode(worker) == 0o600)
        for (key, command) in [
            ("operator/key.pem", ["coordinator", "status"] + consortium.operatorConfig),
            ("acme-osaka/key.pem", ["worker", "run", "--config", worker]),
            (
                "coordinator/key.pem",
                ["coordinator", "run", "--config", consortium.path("coordinator/coordinator.toml")]
            ),
            (
                "coordinator/data/log.key",
                ["coordinator", "run", "--config", consortium.path("coordinator/coordinator.toml")]
            ),
            ("pki/ca.key", ["pki", "renew", consortium.path("operator"), "--ca", consortium.path("pki")]),
        ] {
            chmod(consortium.path(key), 0o644)
            let outcome = try consortium.attempt(command)
            #expect(
                outcome.status == 6 && outcome.error.contains(key) && outcome.error.contains("chmod 600"),
                "\(key): \(outcome.error)"
            )
            chmod(consortium.path(key), 0o600)
        }
        // A file without a password may be readable by others, one with a password may not.
        chmod(worker, 0o644)
        let status = ["worker", "status", "--config", worker]
        #expect(try !consortium.attempt(status).error.contains("password"))
        try consortium.edit("acme-osaka/worker.toml", "proxy = \"\"", "proxy = \"http://osaka:secret@127.0.0.1:3128\"")
        chmod(worker, 0o644)
        let exposed = try consortium.attempt(status)
        #expect(
            exposed.status == 6 && exposed.error.contains("password of a proxy") && exposed.error.contains("chmod 600"),
            "\(exposed.error)"
        )
    }
}
