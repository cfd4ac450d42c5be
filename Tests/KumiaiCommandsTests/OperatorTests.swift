import Foundation
import TestKit
import Testing

/// An operator's changes during a campaign and after it, with real processes.
@Suite(.serialized) struct OperatorTests {
    private static let name = "FY2026-FY2027"

    private func committed(_ consortium: Consortium) -> Int { consortium.campaign["committed"] as? Int ?? 0 }
    private func phase(_ consortium: Consortium) -> String { consortium.campaign["phase"] as? String ?? "" }
    private func json(_ outcome: Shell.Outcome) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    }
    private func digest(_ path: String) throws -> String {
        try Shell.run(["sha256sum", path]).output.split(separator: " ").first.map(String.init) ?? ""
    }

    @Test func aStoppedCampaignsRoundIsReleasedFetchedAuditedAndTrainedOn() throws {
        let consortium = try Consortium(rounds: 1000, learning: ["--lora-rank", "4"])
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let workers = try [0, 1].map(consortium.startWorker)
        try #require(consortium.wait { committed(consortium) >= 3 }, "\(consortium.log("coordinator"))")
        let early = try consortium.attempt(["release", "cut", "FY2027", "--round", "2"] + consortium.operatorConfig)
        #expect(early.status == 5, "\(early.error)")
        let stop = ["campaign", "stop", Self.name, "--reason", "two members have left"] + consortium.operatorConfig
        let entry = try json(consortium.kumiai(stop + ["--json"]))["entry"] as? Int
        #expect(entry != nil && phase(consortium) == "stopped")
        for options in [[], ["--json"], ["--watch", "--json"]] {
            #expect(try consortium.attempt(["campaign", "status"] + options + consortium.operatorConfig).status == 1)
        }
        // The answer was lost, and the operator asks again.
        #expect(try json(consortium.kumiai(stop + ["--json"]))["entry"] as? Int == entry)
        for worker in workers { worker.waitUntilExit() }
        #expect(workers.allSatisfy { $0.terminationStatus == 0 })

        #expect(try consortium.attempt(["release", "cut", "FY2027"] + consortium.operatorConfig).status == 5)
        #expect(
            try consortium.attempt(["release", "cut", "FY2027", "--round", "999"] + consortium.operatorConfig).status
                == 5
        )
        try consortium.kumiai(["release", "cut", "FY2027", "--round", "2"] + consortium.operatorConfig)
        try consortium.kumiai(["release", "cut", "FY2027", "--round", "2"] + consortium.operatorConfig)
        let release = "\(consortium.data)/releases/FY2027"
        try consortium.kumiai("release", "show", release, "--verify", "--ca", consortium.authority)
        // The release contains nothing from after the round that was cut.
        let shown = try json(consortium.kumiai("release", "show", release, "--json"))
        #expect(
            shown["round"] as? Int == 2 && shown["rounds"] as? Int == 2 && shown["updates"] as? Int == 4,
            "\(shown)"
        )
        try fetches(consortium, release)
        try trainOn(consortium)
        #expect(consortium.stop(coordinator) == 0)
        let audit = try consortium.attempt(["audit", "verify", consortium.data, "--ca", consortium.authority])
        #expect(audit.status == 0, "\(audit.output)")
        let replay = try json(
            consortium.kumiai(
                "audit",
                "replay",
                "2",
                consortium.data,
                "--campaign",
                Self.name,
                "--ca",
                consortium.authority,
                "--json"
            )
        )
        let released = try #require(replay["release"] as? [String: Any])
        #expect(
            released["recorded"] as? String == (try digest("\(release)/model.safetensors"))
                && replay["identical"] as? Bool == true
        )
        try consortium.kumiai("audit", "replay", "--all", consortium.data, "--ca", consortium.authority)
        try replaysTheLastCampaignThatHasTheRound(consortium)
    }

    /// The first campaign has at least three committed rounds, the second has one.
    private func replaysTheLastCampaignThatHasTheRound(_ consortium: Consortium) throws {
        for (round, campaign) in [(1, "FY2027-FY2028"), (2, Self.name)] {
            let replay = try consortium.kumiai("audit", "replay", "\(round)", consortium.data)
            #expect(replay.output.contains("round \(round) of \(campaign): "), "\(replay)")
            let report = try json(consortium.kumiai("audit", "replay", "\(round)", consortium.data, "--json"))
            #expect(report["campaign"] as? String == campaign && report["round"] as? Int == round, "\(report)")
        }
        let none = try consortium.attempt(["audit", "replay", "100000", consortium.data])
        #expect(none.status == 6 && none.error.contains("no campaign has a committed round 100000"), "\(none)")
        #expect(none.error.contains("\(Self.name): rounds 1 to "), "\(none)")
        #expect(none.error.contains("FY2027-FY2028: round 1"), "\(none)")
        let other = try consortium.attempt([
            "audit", "replay", "2", consortium.data, "--campaign", "FY2027-FY2028",
        ])
        #expect(other.status == 6 && other.error.contains("round 2 of FY2027-FY2028 is not committed"), "\(other)")
        #expect(!other.error.contains(Self.name), "\(other)")
    }

    private func fetches(_ consortium: Consortium, _ release: String) throws {
        for (name, configuration) in [("site", "acme-osaka/worker.toml"), ("operator", "operator/operator.toml")] {
            let out = consortium.path("fetched-\(name)")
            try consortium.kumiai(
                "release",
                "fetch",
                "FY2027",
                "--out",
                out,
                "--config",
                consortium.path(configuration)
            )
            #expect(try digest("\(out)/model.safetensors") == digest("\(release)/model.safetensors"))
            try consortium.kumiai("release", "show", out, "--verify", "--ca", consortium.authority)
        }
        // A user's directory that has the name of a fetch's temporary directory.
        let taken = consortium.path("taken")
        try FileManager.default.createDirectory(atPath: taken + "~partial", withIntermediateDirectories: true)
        _ = try consortium.directory.write("taken~partial/note", [1])
        let refused = try consortium.attempt([
            "release", "fetch", "FY2027", "--out", taken, "--config", consortium.path("operator/operator.toml"),
        ])
        #expect(refused.status == 1 && refused.error.contains("no fetch has created it"), "\(refused)")
        #expect(
            try consortium.directory.read("taken~partial/note") == [1] && !FileManager.default.fileExists(atPath: taken)
        )
        // An unreadable lineage is tampering, like any other change.
        let copy = consortium.path("fetched-site")
        for content in [Array("x".utf8), Array(#"{"released_at_ms": -1}"#.utf8)] {
            _ = try consortium.directory.write("fetched-site/lineage.json", content)
            let shown = try consortium.attempt(["release", "show", copy, "--verify", "--ca", consortium.authority])
            #expect(shown.status == 3 && shown.output.contains("TAMPERED"), "\(shown)")
        }
        let base = consortium.path("base")
        try consortium.kumiai(
            "model",
            "fetch",
            "FY2026",
            "--out",
            base,
            "--config",
            consortium.path("acme-osaka/worker.toml")
        )
        let file = try #require(
            try FileManager.default.contentsOfDirectory(atPath: base).first { $0.hasSuffix(".safetensors") }
        )
        #expect(try digest("\(base)/\(file)") == digest(Repository.example("base/state.safetensors")))
        // A site's download limit applies to its engineer's command too.
        _ = try consortium.directory.write("acme-osaka/small.toml", consortium.directory.read("acme-osaka/worker.toml"))
        try consortium.edit("acme-osaka/small.toml", "largest_model_gb = 64.0", "largest_model_gb = 0.001")
        let large = try consortium.attempt(
            [
                "model", "fetch", "FY2026", "--out", consortium.path("large"), "--config",
                consortium.path("acme-osaka/small.toml"),
            ])
        #expect(large.status == 1 && large.error.contains("take more than 1000000 bytes"), "\(large)")
        let unknown = try consortium.attempt([
            "release", "fetch", "FY2099", "--out", consortium.path("none"), "--config",
            consortium.path("operator/operator.toml"),
        ])
        #expect(
            unknown.status == 5 && !FileManager.default.fileExists(atPath: consortium.path("none")),
            "\(unknown.error)"
        )
    }

    private func trainOn(_ consortium: Consortium) throws {
        let plan = consortium.path("operator/plan-FY2028.toml")
        try consortium.initCampaign(base: "FY2027", release: "FY2028", ["--rounds", "1", "--site", "acme/osaka"])
        try consortium.kumiai(["campaign", "open", plan] + consortium.operatorConfig)
        // Opening the same plan again gives the same answer as the first time.
        try consortium.kumiai(["campaign", "open", plan] + consortium.operatorConfig)
        // Sites that took part only last year, and last year's losses, are not shown.
        let sites = try #require(consortium.status()["sites"] as? [[String: Any]])
        #expect(
            sites.map { $0["site"] as? String } == ["acme/osaka"]
                && sites.allSatisfy { $0["local_loss"] is NSNull || $0["local_loss"] == nil },
            "\(sites)"
        )
        let worker = try consortium.startWorker(0)
        try #require(consortium.waitForEnd(), "\(consortium.log("acme-osaka"))")
        worker.waitUntilExit()
        #expect(phase(consortium) == "completed" && worker.terminationStatus == 0)
        // The worker keeps what it helped to train.
        let kept = consortium.path("acme-osaka/data/models/FY2027-FY2028.safetensors")
        try consortium.kumiai(["release", "cut", "FY2028"] + consortium.operatorConfig)
        #expect(try digest(kept) == digest("\(consortium.data)/releases/FY2028/model.safetensors"))
    }

    @Test func noCampaignIsOpenedThatMakesARecordedReleaseImpossibleUnlessToldTo() throws {
        let consortium = try Consortium(sites: 1, rounds: 2)
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let worker = try consortium.startWorker(0)
        try #require(consortium.waitForEnd(), "\(consortium.log("coordinator"))")
        worker.waitUntilExit()
        try consortium.initCampaign(release: "FY2028", ["--rounds", "1", "--site", "acme/osaka"])
        let plan = [consortium.path("operator/plan-FY2028.toml")] + consortium.operatorConfig
        for verb in ["open", "check"] {
            let refused = try consortium.attempt(["campaign", verb] + plan)
            #expect(refused.status == 5, "\(refused)")
            for text in [
                "FY2026-FY2027 has 2 committed rounds but no release", "kumiai release cut FY2027 first",
                "--abandon-release",
            ] { #expect(refused.error.contains(text), "\(refused)") }
        }
        // A model of the release's name would make the release impossible too.
        let name = ["--name", "FY2027"], model = Repository.example("base/state.safetensors")
        let taken = try consortium.attempt(["model", "import", model] + name + consortium.operatorConfig)
        #expect(taken.status == 5 && taken.error.contains("which was not cut yet"), "\(taken)")
        try consortium.kumiai(["campaign", "check", "--abandon-release"] + plan)
        #expect(consortium.campaign["campaign"] as? String == Self.name)
        try consortium.kumiai(["campaign", "open", "--abandon-release"] + plan)
        // It is open: a repeated request is answered as the first time.
        try consortium.kumiai(["campaign", "open"] + plan)
        let late = try consortium.attempt(["release", "cut", "FY2027"] + consortium.operatorConfig)
        #expect(late.status == 5, "\(late)")
        // It has no committed round, so there is nothing to release.
        let stop = ["campaign", "stop", "FY2026-FY2028", "--reason", "test"]
        try consortium.kumiai(stop + consortium.operatorConfig)
        try consortium.edit("operator/plan-FY2028.toml", "campaign = \"FY2026-FY2028\"", "campaign = \"second\"")
        try consortium.kumiai(["campaign", "open"] + plan)
        #expect(consortium.stop(coordinator) == 0)
    }

    /// The result of one campaign is not reported for another.
    @Test func anAbandonmentIsThatOfItsOwnCampaign() throws {
        let consortium = try Consortium(rounds: 2, localSteps: 20_000)
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let workers = try [0, 1].map(consortium.startWorker)
        try #require(consortium.wait { phase(consortium) == "collecting" }, "\(consortium.log("coordinator"))")
        try consortium.kumiai(["campaign", "stop", Self.name, "--reason", "test"] + consortium.operatorConfig)
        for worker in workers { worker.waitUntilExit() }
        // Another campaign for the same release, in which no site takes part.
        let again = try consortium.attempt(
            ["campaign", "open", consortium.path("operator/plan.toml")] + consortium.operatorConfig
        )
        #expect(again.status == 5 && again.error.contains("choose another name"), "\(again)")
        try consortium.initCampaign(["--campaign", "second-try", "--site", "zeta/nowhere"])
        let plan = "operator/plan-FY2027.toml"
        try consortium.edit(plan, "recruiting_deadline_seconds = 604800", "recruiting_deadline_seconds = 1")
        try consortium.edit(plan, "maximum_attempts = 3", "maximum_attempts = 1")
        try consortium.kumiai(["campaign", "open", consortium.path(plan)] + consortium.operatorConfig)
        try #require(
            consortium.wait {
                phase(consortium) == "stopped" && consortium.campaign["campaign"] as? String == "second-try"
            }
        )
        // A site that is not in the plan waits for a campaign that includes it.
        let worker = try consortium.startWorker(0)
        #expect(consortium.wait { consortium.log("acme-osaka").contains("no campaign is open") })
        #expect(worker.isRunning && consortium.stop(worker) == 0)
        #expect(consortium.stop(coordinator) == 0)
        let rounds = try consortium.kumiai("audit", "rounds", consortium.data, "--ca", consortium.authority).output
        #expect(rounds.contains("ended with its campaign: stopped by operator/alice: test"), "\(rounds)")
        #expect(rounds.contains("round 1 of second-try was abandoned before it opened"), "\(rounds)")
    }

    @Test func aPausedCampaignDecidesNothingUntilItIsResumed() throws {
        let consortium = try Consortium(rounds: 12)
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let workers = try [0, 1].map(consortium.startWorker)
        try #require(consortium.wait { committed(consortium) >= 1 })
        try consortium.kumiai(["campaign", "pause", Self.name, "--reason", "maintenance"] + consortium.operatorConfig)
        let paused = committed(consortium)
        let status = try consortium.kumiai(["campaign", "status"] + consortium.operatorConfig)
        #expect(status.output.contains("paused") && status.output.contains("maintenance"), "\(status.output)")
        usleep(2_500_000)
        #expect(committed(consortium) <= paused + 1 && paused < 12 && workers.allSatisfy(\.isRunning))
        try consortium.kumiai(["campaign", "resume", Self.name, "--reason", "done"] + consortium.operatorConfig)
        try #require(consortium.waitForEnd(), "\(consortium.log("coordinator"))")
        for worker in workers { worker.waitUntilExit() }
        let audit = try consortium.finish(coordinator)
        #expect(audit.status == 0, "\(audit.output)")
    }

    @Test func aSiteThatIsGoneIsNamedAndDropped() throws {
        let consortium = try Consortium(sites: 3, rounds: 2)
        try consortium.edit("operator/plan.toml", "quorum = 2", "quorum = 3")
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let workers = try [0, 1].map(consortium.startWorker)
        try #require(
            consortium.wait { (consortium.campaign["awaited"] as? [String]) == ["cyan/lyon"] },
            "\(consortium.campaign)"
        )
        let check = try consortium.kumiai(
            ["campaign", "check", consortium.path("operator/plan.toml")] + consortium.operatorConfig
        )
        #expect((check.output + check.error).contains("never seen cyan/lyon"), "\(check.output) \(check.error)")
        // A site that has only run its doctor counts as seen.
        _ = try consortium.attempt(["worker", "doctor", "--config", consortium.path("cyan-lyon/worker.toml")])
        let known = try consortium.kumiai(
            ["campaign", "check", consortium.path("operator/plan.toml")] + consortium.operatorConfig
        )
        #expect(known.output.contains("knows all of these sites"), "\(known.output)")
        let amend =
            ["campaign", "amend", Self.name, "--reason", "the plant in Lyon has closed"] + consortium.operatorConfig
        #expect(try consortium.attempt(amend + ["--drop", "cyan/lyon"]).status == 5, "a quorum of 3 of 2 sites")
        #expect(try consortium.attempt(amend + ["--drop", "bolt/paris", "--quorum", "2"]).status == 5)
        try consortium.kumiai(amend + ["--drop", "cyan/lyon", "--quorum", "2"])
        try #require(consortium.waitForEnd(), "\(consortium.log("coordinator"))")
        #expect(phase(consortium) == "completed")
        for worker in workers { worker.waitUntilExit() }
        let audit = try consortium.finish(coordinator)
        #expect(audit.status == 0, "\(audit.output)")
    }

    @Test func aFurtherBaseModelIsRegisteredOnce() throws {
        let consortium = try Consortium()
        let coordinator = try consortium.startCoordinator()
        #expect(consortium.wait { (try? consortium.status())?["consortium"] != nil })
        let model =
            ["model", "import", Repository.example("base/image.safetensors"), "--name", "FY2030"]
            + consortium.operatorConfig
        let first = try json(consortium.kumiai(model + ["--json"]))
        #expect(try json(consortium.kumiai(model + ["--json"]))["entry"] as? Int == first["entry"] as? Int)
        let other = try consortium.attempt(
            ["model", "import", Repository.example("base/state.safetensors"), "--name", "FY2030"]
                + consortium.operatorConfig
        )
        #expect(other.status == 5, "\(other.error)")
        #expect(consortium.stop(coordinator) == 0)
        #expect(try consortium.attempt(["audit", "verify", consortium.data, "--ca", consortium.authority]).status == 0)
    }
}
