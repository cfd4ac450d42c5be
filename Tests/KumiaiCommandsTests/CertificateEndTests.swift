import Blobs
import Coordinator
import Federation
import Foundation
import Identity
import TestKit
import Testing
import Transport
import Worker

/// Certificates that have ended, are not valid yet, or were revoked.
@Suite(.serialized) struct CertificateEndTests: CertificateFixture {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

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
        let problem = workerStatus()["trouble"] as? String ?? ""
        #expect(
            problem.contains(end) && problem.contains("this machine's clock says") && problem.contains("pki renew"),
            "\(problem)"
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
}
