import Foundation
import TestKit
import Testing

/// The program as a user at the terminal sees it.
@Suite(.serialized) struct CommandTests {
    func kumiai(_ arguments: String...) throws -> Shell.Outcome { try Shell.run([Shell.kumiai] + arguments) }

    @Test(arguments: [
        [], ["demo"], ["coordinator"], ["coordinator", "init"], ["coordinator", "run"], ["coordinator", "status"],
        ["coordinator", "prune"], ["worker"], ["worker", "init"],
        ["worker", "run"], ["worker", "status"], ["worker", "doctor"], ["pki"], ["pki", "ca"], ["pki", "issue"],
        ["pki", "request"], ["pki", "renew"],
        ["pki", "revoke"], ["pki", "show"],
        ["campaign"], ["campaign", "init"], ["campaign", "check"], ["campaign", "open"], ["campaign", "status"],
        ["release"], ["release", "cut"],
        ["release", "show"], ["audit"],
        ["audit", "rounds"], ["audit", "show"], ["audit", "verify"], ["audit", "replay"], ["policy"],
        ["policy", "init"], ["policy", "show"],
        ["policy", "evaluate"], ["policy", "tune"], ["adapter"], ["adapter", "merge"],
        ["adapter", "extract"],
    ])
    func everyCommandHelps(command: [String]) throws {
        let outcome = try Shell.run([Shell.kumiai] + command + ["--help"])
        #expect(outcome.status == 0)
        #expect(outcome.output.contains("OVERVIEW:") && outcome.output.contains("USAGE:"))
    }

    @Test func wrongFlagsExitWith64AndSayWhatIsMeant() throws {
        let outcome = try kumiai("demo", "--rouns", "3")
        #expect(outcome.status == 64)
        #expect(outcome.error.contains("--rouns") && outcome.error.contains("--rounds"))
        #expect(try kumiai("demo", "--sites", "9").status == 64)
    }

    @Test func completionsComeFromTheParser() throws {
        let outcome = try kumiai("--generate-completion-script", "bash")
        #expect(outcome.status == 0 && outcome.output.contains("kumiai"))
    }

    @Test func unknownKeysOfAConfigurationAreErrorsThatNameThem() throws {
        let consortium = try Consortium(sites: 1)
        try consortium.edit("coordinator/coordinator.toml", "heartbeat_seconds", "heartbeat_secnods")
        let misspelt = try consortium.attempt([
            "coordinator", "run", "--config", consortium.path("coordinator/coordinator.toml"),
        ])
        #expect(misspelt.status == 6 && misspelt.error.contains("heartbeat_sec"), "\(misspelt.error)")
        try consortium.edit("operator/plan.toml", "quorum = 1", "quorum = 2")
        let unsound = try consortium.attempt(
            ["campaign", "open", consortium.path("operator/plan.toml")] + consortium.operatorConfig
        )
        #expect(unsound.status == 6 && unsound.error.contains("quorum"), "\(unsound.error)")
        try consortium.edit("operator/plan.toml", "quorum = 2", "quorum = 1\nsurprise = 1")
        let extra = try consortium.attempt(
            ["campaign", "open", consortium.path("operator/plan.toml")] + consortium.operatorConfig
        )
        #expect(extra.status == 6 && extra.error.contains("surprise"), "\(extra.error)")
    }

    @Test(arguments: [
        "[", "[&x]", "x = [ }", "x = \"", "x = 1 2", "= 1", "x = 0x", "x = \"\\q\"", "x = [[[[[1]]]]]", "\u{1}",
    ])
    func aConfigurationThatIsNoTOMLIsRefusedWithItsLine(text: String) throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("operator.toml", Array("# fine\r\ncoordinator = \"h:1\"\n\(text)\n".utf8))
        let outcome = try kumiai("coordinator", "status", "--config", path)
        #expect(outcome.status == 6 && outcome.error.contains("line 3"), "\(outcome.status) \(outcome.error)")
    }

    @Test func wrongCertificatesAreNamedOnBothSidesAndTheCoordinatorGoesOn() throws {
        let consortium = try Consortium(sites: 1)
        let coordinator = try consortium.startCoordinator()
        let status = ["coordinator", "status", "--config"]
        #expect(
            consortium.wait {
                (try? consortium.attempt(status + [consortium.path("operator/operator.toml")]).status) == 0
            }
        )
        // A worker's certificate used for an operator's command.
        let operatorFile = try consortium.directory.read("operator/operator.toml")
        try consortium.directory.write("acme-osaka/operator.toml", operatorFile)
        let role = try consortium.attempt([
            "campaign", "open", consortium.path("operator/plan.toml"), "--config",
            consortium.path("acme-osaka/operator.toml"),
        ])
        #expect(role.status == 5 && role.error.contains("a site may not send open_campaign"), "\(role.error)")
        #expect(consortium.log("coordinator").contains("a site may not send open_campaign"))
        // An auditor may read the status, but may not open a campaign.
        try consortium.directory.write("auditor/operator.toml", operatorFile)
        #expect(try consortium.attempt(status + [consortium.path("auditor/operator.toml")]).status == 0)
        #expect(
            try consortium.attempt(["release", "cut", "FY2027", "--config", consortium.path("auditor/operator.toml")])
                .status == 5
        )
        // Another consortium's CA.
        try consortium.kumiai("pki", "ca", "--consortium", "test.kumiai.example", "--out", consortium.path("other"))
        try consortium.kumiai(
            "pki",
            "issue",
            "operator/eve",
            "--ca",
            consortium.path("other"),
            "--out",
            consortium.path("eve")
        )
        try consortium.directory.write("eve/operator.toml", operatorFile)
        try consortium.directory.write("eve/ca.pem", consortium.directory.read("pki/ca.pem"))
        let own = try consortium.attempt(status + [consortium.path("eve/operator.toml")])
        #expect(own.status == 6 && own.error.contains("eve/certificate.pem"), "\(own.error)")
        // Her configuration trusts both CAs, so that only the coordinator can tell.
        let authorities = try ["pki/ca.pem", "other/ca.pem"].flatMap { try consortium.directory.read($0) }
        try consortium.directory.write("eve/ca.pem", authorities)
        let stranger = try consortium.attempt(status + [consortium.path("eve/operator.toml")])
        #expect(stranger.status == 5 && stranger.error.contains("unknown ca"), "\(stranger.error)")
        #expect(
            consortium.wait(seconds: 5) { consortium.log("coordinator").contains("certificate was refused") },
            "\(consortium.log("coordinator"))"
        )
        #expect(try consortium.attempt(status + [consortium.path("operator/operator.toml")]).status == 0)
        let askDoctor = ["worker", "doctor", "--config", consortium.path("acme-osaka/worker.toml")]
        let doctor = try consortium.attempt(askDoctor)
        #expect(doctor.status == 0 && doctor.output.contains("accepts this site"), "\(doctor.output)")
        #expect(consortium.stop(coordinator) == 0)
        let unreachable = try consortium.attempt(status + [consortium.path("operator/operator.toml")])
        #expect(unreachable.status == 4, "\(unreachable.error)")
        #expect(try consortium.attempt(askDoctor).status == 4)
        // An audit with that CA reports the wrong CA, instead of calling each entry wrong.
        let audit = try consortium.attempt([
            "audit", "verify", consortium.data, "--ca", consortium.path("other/ca.pem"),
        ])
        #expect(
            audit.status == 6 && audit.error.contains("was founded under a different CA, with SHA-256"),
            "\(audit.error)"
        )
        #expect(
            !audit.output.contains("TAMPERED") && audit.error.contains("other/ca.pem must be the CA certificate"),
            "\(audit)"
        )
    }

    @Test func aPlanOnAnUnknownModelIsRefusedAndTheModelsAreNamed() throws {
        let consortium = try Consortium(sites: 1)
        let coordinator = try consortium.startCoordinator()
        #expect(consortium.wait { (try? consortium.status())?["consortium"] != nil })
        try consortium.edit("operator/plan.toml", "base = \"FY2026\"", "base = \"FY2025\"")
        let open = try consortium.attempt([
            "campaign", "open", consortium.path("operator/plan.toml"), "--config",
            consortium.path("operator/operator.toml"),
        ])
        #expect(
            open.status == 5 && open.error.contains("there is no model FY2025") && open.error.contains("FY2026"),
            "\(open.error)"
        )
        #expect(consortium.stop(coordinator) == 0)
    }

    @Test func jsonLogsAreOneObjectALine() throws {
        let consortium = try Consortium(sites: 1)
        let coordinator = try consortium.start(
            "json",
            ["coordinator", "run", "--log-format", "json", "--config", consortium.path("coordinator/coordinator.toml")]
        )
        #expect(consortium.wait { consortium.log("json").contains("listening") })
        #expect(consortium.stop(coordinator) == 0)
        for line in consortium.log("json").split(separator: "\n") {
            let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            #expect(object?["message"] != nil && object?["level"] != nil)
        }
    }

    @Test func keysAreNeverOverwrittenAndOnlyTheirOwnerReadsThem() throws {
        let consortium = try Consortium(sites: 1)
        let again = try consortium.attempt([
            "pki", "issue", "operator/alice", "--ca", consortium.path("pki"), "--out", consortium.path("operator"),
        ])
        #expect(again.status == 6 && again.error.contains("nothing was overwritten"), "\(again.error)")
        for key in ["pki/ca.key", "operator/key.pem", "coordinator/data/log.key"] {
            let mode = try FileManager.default.attributesOfItem(atPath: consortium.path(key))[.posixPermissions] as? Int
            #expect(mode == 0o600, "\(key)")
        }
    }

    @Test func theDemoShowsTheGainWithRealProcesses() throws {
        let directory = try TemporaryDirectory()
        let outcome = try Shell.run([
            Shell.kumiai, "demo", "--json", "--policy", "state", "--sites", "2", "--rounds", "12", "--directory",
            directory.file("demo"), "--examples",
            Repository.path("Examples/metaworld"),
        ])
        #expect(outcome.status == 0, "\(outcome.error)")
        let report = try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
        #expect(report["ledger_verified"] as? Bool == true && report["replay_identical"] as? Bool == true)
        #expect(report["updates_accepted"] as? Int == 24)
        let mean = try #require(report["mean_error"] as? [String: Double])
        #expect(mean["federated"]! < mean["base"]! && mean["federated"]! < mean["best_alone"]!)
        for task in try #require(report["tasks"] as? [[String: Any]]) {
            let error = try #require(task["error"] as? [String: Double])
            #expect(error["federated"]! < error["base"]!)
        }
    }
}
