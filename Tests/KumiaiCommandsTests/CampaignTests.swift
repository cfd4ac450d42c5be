import Foundation
import TestKit
import Testing

/// Whole campaigns with real processes over real TLS.
@Suite(.serialized) struct CampaignTests {
    @Test func factoriesTrainAReleaseThatVerifiesAndReplays() throws {
        let consortium = try Consortium()
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let workers = try [0, 1].map(consortium.startWorker)
        try #require(consortium.waitForEnd(), "\(consortium.log("coordinator")) \(consortium.log("bolt-turin"))")
        #expect(consortium.campaign["phase"] as? String == "completed")
        for worker in workers { worker.waitUntilExit() }
        #expect(workers.allSatisfy { $0.terminationStatus == 0 })
        let audit = try consortium.finish(coordinator)
        #expect(audit.status == 0, "\(audit.output)")
        for round in 1...3 {
            try consortium.kumiai("audit", "replay", "\(round)", consortium.data, "--ca", consortium.authority)
        }
        try consortium.kumiai("audit", "rounds", consortium.data)
        try consortium.kumiai("audit", "show", "3", consortium.data)
        try consortium.kumiai(
            "release",
            "show",
            "\(consortium.data)/releases/FY2027",
            "--verify",
            "--ca",
            consortium.authority
        )
        let receipts = try FileManager.default.contentsOfDirectory(atPath: consortium.path("acme-osaka/data/receipts"))
        #expect(receipts.count == 3)
        try flips(consortium)
    }

    /// A change of any single byte of a copy is found and named.
    private func flips(_ consortium: Consortium) throws {
        let manager = FileManager.default
        let blobs = try #require(manager.enumerator(atPath: consortium.data + "/blobs/objects")).compactMap {
            $0 as? String
        }.filter { $0.count > 60 }
        let files = ["ledger.sqlite", "ledger.seal"] + blobs.sorted().prefix(4).map { "blobs/objects/\($0)" }
        var random = SystemRandomNumberGenerator()
        for file in files {
            for _ in 0..<(file == "ledger.sqlite" ? 12 : 3) {
                let url = URL(fileURLWithPath: "\(consortium.data)/\(file)")
                let whole = try Data(contentsOf: url)
                var bytes = whole
                let index = Int.random(in: 0..<bytes.count, using: &random)
                bytes[index] ^= 1 << Int.random(in: 0..<8, using: &random)
                try bytes.write(to: url)
                let outcome = try consortium.attempt(["audit", "verify", consortium.data, "--ca", consortium.authority])
                #expect(outcome.status == 3, "\(file) byte \(index): \(outcome.output) \(outcome.error)")
                let name =
                    file.hasPrefix("blobs")
                    ? "blob \(url.lastPathComponent)"
                    : file == "ledger.seal" ? "ledger.seal" : "(ledger.sqlite|entry \\d+|tree head)"
                #expect(
                    outcome.output.range(of: name, options: .regularExpression) != nil,
                    "\(file) byte \(index): \(outcome.output)"
                )
                try whole.write(to: url)
            }
        }
        #expect(try consortium.attempt(["audit", "verify", consortium.data, "--ca", consortium.authority]).status == 0)
    }

    /// Updates of a stopped campaign do not count; they are removed when the next campaign has ended its rounds.
    @Test func theLedgerIsSoundAfterACampaignThatStopped() throws {
        let consortium = try Consortium(rounds: 2, quorum: 2)
        let plan = "operator/plan.toml"
        for (old, new) in [
            ("deadline_seconds = 3600", "deadline_seconds = 3"), ("recruiting_seconds = 30", "recruiting_seconds = 1"),
            ("maximum_attempts = 3", "maximum_attempts = 1"), ("maximum_extensions = 1", "maximum_extensions = 0"),
        ] {
            #expect(String(decoding: try consortium.directory.read(plan), as: UTF8.self).contains(old))
            try consortium.edit(plan, old, new)
        }
        // One site is connected but cannot train.
        try consortium.edit(
            "bolt-turin/worker.toml",
            Repository.example("sites/drawer-open.hdf5"),
            Repository.path("Tests/DemonstrationsTests/Aloha")
        )
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let first = try [0, 1].map(consortium.startWorker)
        try #require(consortium.waitForEnd(), "\(consortium.log("coordinator")) \(consortium.log("bolt-turin"))")
        #expect(
            consortium.campaign["phase"] as? String == "stopped" && consortium.campaign["updates_accepted"] as? Int == 1
        )
        for worker in first { worker.waitUntilExit() }
        try consortium.edit(plan, "campaign = \"FY2026-FY2027\"", "campaign = \"second\"")
        try consortium.edit(plan, "quorum = 2", "quorum = 1")
        // Otherwise the site would make the same update again.
        try consortium.edit(plan, "local_steps = 2", "local_steps = 3")
        try consortium.openCampaign()
        let second = try consortium.startWorker(0)
        try #require(consortium.waitForEnd(), "\(consortium.log("coordinator")) \(consortium.log("bolt-turin"))")
        second.waitUntilExit()
        let audit = try consortium.finish(coordinator)
        #expect(
            audit.status == 0 && audit.output.contains("count in no committed round and are not in the copy: 1"),
            "\(audit.output)"
        )
    }

    @Test func aKilledCoordinatorGoesOnWithItsRound() throws {
        let consortium = try Consortium(rounds: 6, localSteps: 5)
        var coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let workers = try [0, 1].map(consortium.startWorker)
        for committed in [1, 3] {
            #expect(consortium.wait { (consortium.campaign["committed"] as? Int ?? 0) >= committed })
            kill(coordinator.processIdentifier, SIGKILL)
            coordinator.waitUntilExit()
            coordinator = try consortium.startCoordinator()
        }
        try #require(consortium.waitForEnd(), "\(consortium.log("coordinator")) \(consortium.log("bolt-turin"))")
        for worker in workers { worker.waitUntilExit() }
        #expect(consortium.campaign["committed"] as? Int == 6)
        #expect(consortium.campaign["updates_accepted"] as? Int == 12)
        #expect(try consortium.finish(coordinator).status == 0)
    }

    @Test func aKilledWorkerGoesOnWithItsRound() throws {
        let consortium = try Consortium(rounds: 4, localSteps: 20)
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        var victim = try consortium.startWorker(0)
        let other = try consortium.startWorker(1)
        for committed in [0, 2] {
            #expect(
                consortium.wait {
                    (consortium.campaign["committed"] as? Int ?? -1) >= committed
                        && consortium.log("acme-osaka").contains("training")
                }
            )
            kill(victim.processIdentifier, SIGKILL)
            victim.waitUntilExit()
            victim = try consortium.startWorker(0)
        }
        try #require(consortium.waitForEnd(), "\(consortium.log("coordinator")) \(consortium.log("bolt-turin"))")
        victim.waitUntilExit()
        other.waitUntilExit()
        #expect(consortium.campaign["phase"] as? String == "completed")
        #expect(consortium.campaign["updates_accepted"] as? Int == 8)
        #expect(try consortium.finish(coordinator).status == 0)
    }

    @Test func stoppingIsGracefulOnBothSides() throws {
        let consortium = try Consortium(rounds: 1000)
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let workers = try [0, 1].map(consortium.startWorker)
        #expect(consortium.wait { (consortium.campaign["committed"] as? Int ?? 0) >= 1 })
        #expect(consortium.stop(workers[0]) == 0)
        #expect(consortium.stop(coordinator) == 0)
        #expect(consortium.stop(workers[1]) == 0)
        #expect(try consortium.attempt(["audit", "verify", consortium.data, "--ca", consortium.authority]).status == 0)
        let status = try consortium.attempt([
            "worker", "status", "--json", "--config", consortium.path("acme-osaka/worker.toml"),
        ])
        #expect(status.status == 7 && status.output.contains("\"running\" : false"))
    }

    @Test func aCertificateMadeWithOpensslJoinsARound() throws {
        let consortium = try Consortium(sites: 1, rounds: 1)
        let directory = consortium.path("acme-osaka")
        for name in ["certificate.pem", "key.pem"] {
            try FileManager.default.removeItem(atPath: "\(directory)/\(name)")
        }
        // The commands of certs/README.md.
        let script = """
            set -e
            cd \(directory)
            openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out key.pem
            openssl req -new -key key.pem -subj '/O=Acme/CN=osaka' -out request.pem
            SPIFFE_ID=spiffe://test.kumiai.example/member/acme/site/osaka openssl x509 -req -in request.pem -CA \
            ../pki/ca.pem -CAkey ../pki/ca.key \
              -days 90 -sha256 -extfile \(Repository.path("certs/kumiai.cnf")) -extensions site -out certificate.pem
            """
        let made = try Shell.run(["bash", "-c", script])
        #expect(made.status == 0, "\(made.error)")
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let worker = try consortium.startWorker(0)
        try #require(consortium.waitForEnd(), "\(consortium.log("coordinator")) \(consortium.log("bolt-turin"))")
        worker.waitUntilExit()
        #expect(try consortium.finish(coordinator).status == 0)
    }

    @Test func aPeerInPythonTakesPartFromTheProtoFilesAlone() throws {
        let consortium = try Consortium(sites: 2, rounds: 2)
        let proto = consortium.path("proto")
        try FileManager.default.createDirectory(atPath: proto, withIntermediateDirectories: true)
        let generated = try Shell.run([
            "bash", "-c", "cd \(Repository.path("proto")) && protoc --python_out=\(proto) kumiai/v1/*.proto",
        ])
        #expect(generated.status == 0, "\(generated.error)")
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let native = try consortium.startWorker(0)
        let peer = try Shell.run(
            [
                "timeout", "60", "/usr/bin/python3", Repository.path("Tests/KumiaiCommandsTests/Python/peer.py"),
                "127.0.0.1", "\(consortium.port)",
                consortium.path("bolt-turin"),
            ],
            environment: ["PYTHONPATH": proto]
        )
        try #require(peer.status == 0, "\(peer.output) \(peer.error)")
        #expect(peer.output.contains("receipts 2"), "\(peer.output)")
        try #require(consortium.waitForEnd(), "\(consortium.log("coordinator")) \(consortium.log("bolt-turin"))")
        native.waitUntilExit()
        #expect(consortium.campaign["updates_accepted"] as? Int == 4)
        #expect(try consortium.finish(coordinator).status == 0)
    }
}
