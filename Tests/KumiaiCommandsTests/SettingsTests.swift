import Federation
import Foundation
import Settings
import TestKit
import Testing

@testable import KumiaiCommands

/// The settings of plans and roles, as users see them.
struct SettingsTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    @Test func theTablesOfTheReadmeAreTheDeclarations() throws {
        let readme = try String(contentsOfFile: Repository.path("README.md"), encoding: .utf8)
        for (file, table) in [
            ("plan.toml", Plan.schema.markdown), ("worker.toml", WorkerFile.schema.markdown),
            ("coordinator.toml", CoordinatorFile.schema.markdown),
        ] {
            #expect(readme.contains(table), "README.md does not list the settings of \(file): run make settings")
        }
    }

    @Test(arguments: ["campaign", "worker", "coordinator"])
    func everySettingIsListed(noun: String) throws {
        let listed = try Shell.run([Shell.kumiai, noun, "settings"])
        let json = try Shell.run([Shell.kumiai, noun, "settings", "--json"])
        let object = try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: [[String: Any]]]
        let keys = try #require(object?["settings"]?.compactMap { $0["key"] as? String })
        #expect(keys.count > 7 && listed.status == 0)
        for key in keys { #expect(listed.output.contains("\n\(key)  ") || listed.output.hasPrefix("\(key)  ")) }
    }

    @Test func aPlanAsInitWritesItIsThePlanThatIsRead() throws {
        for (rank, form) in zip([0, 4, 0, 8], Compression.Kind.allCases) {
            let plan = Plan.initial(
                campaign: CampaignID("C")!,
                base: ModelName("A")!,
                release: ModelName("B")!,
                sites: [SiteID("bolt/turin")!, SiteID("acme/osaka")!],
                rounds: 5,
                seed: .max,
                rank: rank,
                compression: form
            )
            #expect(try PlanFile.parse(plan.template, path: "plan") == plan)
            #expect(plan.template.split(separator: "\n").allSatisfy { $0.count <= 120 })
        }
    }

    @Test func betasOfAdamWAreReadAndBounded() throws {
        let text = Plan.initial(
            campaign: CampaignID("C")!,
            base: ModelName("A")!,
            release: ModelName("B")!,
            sites: [SiteID("acme/osaka")!],
            rounds: 5,
            seed: 0
        ).template
        #expect(text.contains("beta1 = 0.9\n") && text.contains("beta2 = 0.95\n"))
        let changed = text.replacingOccurrences(of: "beta2 = 0.95", with: "beta2 = 0.999")
        #expect(try PlanFile.parse(changed, path: "plan").training.betas == AdamBetas(first: 0.9, second: 0.999))
        let missing = text.replacingOccurrences(of: "beta1 = 0.9\n", with: "")
        #expect(try PlanFile.parse(missing, path: "plan").training.betas == .standard)
        let wrong = text.replacingOccurrences(of: "beta2 = 0.95", with: "beta2 = 1")
        #expect {
            try PlanFile.parse(wrong, path: "plan")
        } throws: { "\($0)".contains("training.beta2: expected 0 to 0.999999") }
    }

    @Test(arguments: ["a\u{202e}b", "a\u{7}b", "a\u{200b}b", String(repeating: "あ", count: 43)])
    func aDisplayNameThatWouldNotBeShownAsItIsIsRefusedWithItsLine(name: String) throws {
        var file = WorkerFile(coordinator: "h:1", training: .init(demonstrations: "d"))
        file.displayName = "大阪工場"
        #expect(try TOMLFile<WorkerFile>(text: file.template, path: "w").content.displayName == "大阪工場")
        file.displayName = name
        let lines = file.template.split(separator: "\n", omittingEmptySubsequences: false)
        let line = try #require(lines.firstIndex { $0.hasPrefix("display_name = ") }) + 1
        #expect {
            try TOMLFile<WorkerFile>(text: file.template, path: "w")
        } throws: { error in
            "\(error)".contains(
                "display_name: expected at most 128 bytes without control or invisible characters (line \(line))"
            )
        }
    }

    @Test func whatAStrategyDoesNotHaveIsRefused() throws {
        try directory.write("plan.toml", Array(Self.plan("fedavg", "learning_rate = 1\nmomentum = 0.5").utf8))
        let outcome = try Shell.run([Shell.kumiai, "campaign", "check", directory.file("plan.toml")])
        #expect(outcome.status == 6 && outcome.error.contains("strategy.momentum: does not apply"), "\(outcome)")
        #expect(
            try PlanFile.parse(Self.plan("fedadam", "learning_rate = 0.01\ntau = 0.1"), path: "").strategy
                == .fedAdam(AdaptiveMoments(learningRate: 0.01, adaptivity: 0.1))
        )
        #expect {
            try PlanFile.parse(Self.plan("nesterov", "learning_rate = 1"), path: "")
        } throws: { "\($0)".contains("strategy.momentum is missing") }
        #expect {
            try PlanFile.parse(Self.plan("fedsgd", "learning_rate = 1"), path: "")
        } throws: { "\($0)".contains("none of fedavg, fedavgm, nesterov, fedadam, fedyogi") }
    }

    private static func plan(_ kind: String, _ lines: String) -> String {
        """
        campaign = "C"
        base = "A"
        release = "B"
        sites = ["acme/osaka"]
        rounds = 1
        quorum = 1
        recruiting_seconds = 0
        deadline_seconds = 60
        maximum_attempts = 1
        [strategy]
        kind = "\(kind)"
        \(lines)
        [bounds]
        weight = 10
        norm = 1
        [training]
        local_steps = 1
        batch = 1
        learning_rate = 0.1
        decay_to = 1
        weight_decay = 0
        gradient_clip = 1
        seed = 0
        """
    }
}
