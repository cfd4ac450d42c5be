import Foundation
import TestKit
import Tensors
import Testing

/// Campaigns with every kind of learning that a plan can have, with real processes: they end, verify, and replay bit
/// for bit.
@Suite(.serialized) struct LearningCampaignTests {
    struct Kind: CustomStringConvertible, Sendable {
        let description: String
        var aggregation: String?
        var compression = "none"
        /// Lines of the plan, and their replacements.
        var edits: [(String, String)] = []
    }

    /// Edits that replace the plan's strategy.
    private static func strategy(_ kind: String, rate: Double, _ lines: String = "") -> [(String, String)] {
        [
            ("kind = \"fedavgm\"", "kind = \"\(kind)\""), ("learning_rate = 1.0", "learning_rate = \(rate)"),
            ("momentum = 0.7", lines),
        ]
    }

    static let kinds: [Kind] = [
        Kind(description: "exact LoRA", aggregation: "exact"),
        Kind(
            description: "alternating LoRA, int8, FedAdam",
            aggregation: "alternating",
            compression: "int8",
            edits: strategy("fedadam", rate: 0.01, "beta1 = 0.9\nbeta2 = 0.99\ntau = 0.001")
        ),
        Kind(
            description: "frozen LoRA, bfloat16, FedYogi, cosine",
            aggregation: "frozen_a",
            compression: "bfloat16",
            edits: strategy("fedyogi", rate: 0.01) + [
                ("schedule = \"linear\"", "schedule = \"cosine\""), ("warmup_rounds = 0", "warmup_rounds = 2"),
            ]
        ),
        Kind(description: "averaged LoRA, top-k", aggregation: "average", compression: "topk"),
        Kind(
            description: "whole model, top-k, DiLoCo, FedProx",
            compression: "topk",
            edits: strategy("nesterov", rate: 0.7, "momentum = 0.9") + [("proximal = 0.0", "proximal = 0.1")]
        ),
        Kind(
            description: "whole model, int8, epochs",
            compression: "int8",
            edits: [("local_steps = 2", "local_epochs = 1"), ("batch = 32", "batch = 512")]
        ),
    ]

    @Test(arguments: kinds)
    func aCampaignOfThisKindVerifiesAndReplays(kind: Kind) throws {
        let consortium = try Consortium(
            learning: (kind.aggregation == nil ? [] : ["--lora-rank", "4"]) + ["--compression", kind.compression]
        )
        if let aggregation = kind.aggregation {
            try consortium.edit("operator/plan.toml", "aggregation = \"exact\"", "aggregation = \"\(aggregation)\"")
        }
        for (old, new) in kind.edits {
            #expect(String(decoding: try consortium.directory.read("operator/plan.toml"), as: UTF8.self).contains(old))
            try consortium.edit("operator/plan.toml", old, new)
        }
        // One site has less memory than the other.
        if kind.aggregation != nil { try consortium.edit("bolt-turin/worker.toml", "rank = 0", "rank = 2") }
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let workers = try [0, 1].map(consortium.startWorker)
        try #require(consortium.waitForEnd(), "\(consortium.log("coordinator")) \(consortium.log("acme-osaka"))")
        #expect(consortium.campaign["phase"] as? String == "completed")
        for worker in workers { worker.waitUntilExit() }
        let audit = try consortium.finish(coordinator)
        #expect(audit.status == 0, "\(audit.output)")
        for round in 1...3 {
            try consortium.kumiai("audit", "replay", "\(round)", consortium.data, "--ca", consortium.authority)
        }
        // The release contains what was learned; tensors without an adapter are unchanged.
        let base = try SafetensorsFile(path: Repository.example("base/state.safetensors"))
        let release = try SafetensorsFile(path: "\(consortium.data)/releases/FY2027/model.safetensors")
        #expect(
            release.layout == base.layout && release.header.metadata.map(\.name) == base.header.metadata.map(\.name)
        )
        for name in ["blocks.0.fc1.weight", "blocks.2.qkv.weight", "word.weight", "blocks.1.ln1.bias"] {
            let tensor = try #require(base.layout[name])
            let adapted = kind.aggregation == nil || name.contains("fc1") || name.contains("qkv")
            #expect(try (release.values(of: tensor) != base.values(of: tensor)) == adapted, "\(name)")
        }
        try checkBytes(consortium, kind, whole: base.layout.byteCount)
    }

    /// The bytes of the updates that left the sites.
    private func checkBytes(_ consortium: Consortium, _ kind: Kind, whole: Int) throws {
        let lines = String(decoding: try consortium.directory.read("acme-osaka/data/sent.jsonl"), as: UTF8.self).split(
            separator: "\n"
        )
        let sizes = try lines.map {
            try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])["bytes"] as? Int ?? 0
        }
        #expect(sizes.count == 3)
        // Share of the whole model's bytes, plus a header of a few KiB. Rank 4 has 18,432 of 390,724 parameters.
        let adapters = kind.aggregation == nil ? 1 : 0.0472
        let form = ["none": 1, "bfloat16": 0.5, "int8": 0.26, "topk": 0.1][kind.compression]!
        for size in sizes {
            #expect(Double(size) < Double(whole) * adapters * form * 1.01 + 12_000, "\(kind): \(size) of \(whole)")
        }
    }

    @Test func aReleaseMayHoldAnAdapterThatPEFTLoads() throws {
        let consortium = try Consortium(learning: ["--lora-rank", "4"])
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        for worker in try [0, 1].map(consortium.startWorker) { worker.waitUntilExit() }
        try consortium.kumiai(["release", "cut", "FY2027", "--adapter", "--rank", "96"] + consortium.operatorConfig)
        // At full rank, only rounding is lost.
        let release = "\(consortium.data)/releases/FY2027"
        let shown = try json(
            consortium.kumiai("release", "show", release, "--verify", "--ca", consortium.authority, "--json")
        )
        #expect(
            shown["adapter_rank"] as? Int == 96 && (shown["discarded_energy"] as? Double ?? 1) < 1e-9
                && shown["problem"] == nil
        )
        let check = try Shell.run([
            Shell.python, Repository.path("Tests/KumiaiCommandsTests/Python/check_adapter.py"),
            Repository.example("base/state.safetensors"),
            release + "/adapter", PolicyInputs.write(consortium.directory), "--merged", release + "/model.safetensors",
        ])
        #expect(check.status == 0, "\(check.error)")
        // A smaller rank lacks something, and the report says how much.
        let small = try json(
            consortium.kumiai(
                "adapter",
                "extract",
                Repository.example("base/state.safetensors"),
                release + "/model.safetensors",
                "--rank",
                "1",
                "--out",
                consortium.path("small"),
                "--json"
            )
        )
        let discarded = small["discarded_energy"] as? Double ?? 0
        #expect(discarded > 0.001 && discarded < 0.999)
        // Cutting again changes nothing; another rank is refused with a hint.
        #expect(try consortium.attempt(["release", "cut", "FY2027"] + consortium.operatorConfig).status == 0)
        let other = try consortium.attempt(
            ["release", "cut", "FY2027", "--adapter", "--rank", "2"] + consortium.operatorConfig
        )
        #expect(other.status == 5 && other.error.contains("kumiai adapter extract"))
        // A changed byte of the adapter is found.
        #expect(consortium.stop(coordinator) == 0)
        let url = URL(fileURLWithPath: release + "/adapter/adapter_model.safetensors")
        var bytes = try Data(contentsOf: url)
        bytes[bytes.count - 7] ^= 1
        try bytes.write(to: url)
        #expect(
            try consortium.attempt(["release", "show", release, "--verify", "--ca", consortium.authority]).status == 3
        )
    }

    private func json(_ outcome: Shell.Outcome) throws -> [String: Any] {
        try #require(JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
    }

    @Test func whatNoSiteCouldTrainIsRefusedWhenTheCampaignIsOpened() throws {
        let consortium = try Consortium(learning: ["--lora-rank", "4"])
        let coordinator = try consortium.startCoordinator()
        #expect(consortium.wait { (try? consortium.status())?["consortium"] != nil })
        func refusal(_ old: String, _ new: String) throws -> String {
            try consortium.edit("operator/plan.toml", old, new)
            let outcome = try consortium.attempt(
                ["campaign", "open", consortium.path("operator/plan.toml")] + consortium.operatorConfig
            )
            #expect(outcome.status == 5)
            return outcome.error
        }
        #expect(try refusal("\"fc2\"]", "\"fc3\"]").contains("no module named fc3"))
        #expect(try refusal("\"fc3\"]", "\"word\"]").contains("no adapter for word"))
        #expect(try refusal("rank = 4", "rank = 1024").contains("adapters of rank 1024 take"))
        // Also without a coordinator.
        let model = Repository.example("base/state.safetensors")
        func check() throws -> Shell.Outcome {
            try consortium.attempt([
                "campaign", "check", consortium.path("operator/plan.toml"), "--base", model, "--json",
            ])
        }
        let unsound = try check()
        #expect(unsound.status == 6 && unsound.error.contains("adapters of rank 1024 take"))
        try consortium.edit("operator/plan.toml", "rank = 1024", "rank = 4")
        #expect(try check().error.contains("no adapter for word"))
        try consortium.edit("operator/plan.toml", "\"word\"]", "\"fc2\"]")
        let sound = try json(check())
        // 18,432 numbers and a header, for each of three rounds and two sites.
        let bytes = sound["update_bytes"] as? Int ?? 0
        #expect(
            (73_728..<80_000).contains(bytes) && sound["campaign_bytes"] as? Int == 6 * bytes
                && sound["lora_rank"] as? Int == 4
        )
        #expect(consortium.stop(coordinator) == 0)
    }

    @Test func aBaseThatNoSiteCanTrainIsRefusedWithTheReason() throws {
        let consortium = try Consortium(sites: 1)
        let base = try SafetensorsFile(path: Repository.example("base/state.safetensors")), values = try base.float32s()
        func check(_ layout: TensorLayout, _ values: [Float], config: String?, _ texts: String...) throws {
            let path = consortium.path("base.safetensors")
            let writer = try SafetensorsWriter(
                path: path,
                layout: layout,
                metadata: config.map { [(name: "config", value: $0)] } ?? []
            )
            try writer.append(values)
            try writer.finish()
            let outcome = try consortium.attempt([
                "campaign", "check", consortium.path("operator/plan.toml"), "--base", path,
            ])
            #expect(outcome.status == 6 && texts.allSatisfy { outcome.error.contains($0) }, "\(outcome.error)")
        }
        let config = try #require(base.header[metadata: "config"])
        try check(base.layout, values, config: nil, "no site can train this model", "no config in its metadata")
        try check(base.layout, values, config: "{\"type\": \"act\"}", "another type than kumiai_vla")
        try check(
            base.layout,
            values,
            config: config.replacingOccurrences(of: "\"chunk_size\"", with: "\"chunk\""),
            "chunk is unknown"
        )
        let fewer = base.layout.tensors.filter { $0.name != "blocks.0.ln1.bias" }.map {
            (name: $0.name, type: $0.type, shape: $0.shape)
        }
        try check(
            TensorLayout(fewer),
            Array(values.dropLast(base.layout["blocks.0.ln1.bias"]!.elementCount)),
            config: config,
            "blocks.0.ln1.bias is missing"
        )
        var odd = values
        odd[base.layout["head.weight"]!.range.lowerBound / 4 + 100] = -.infinity
        try check(base.layout, odd, config: config, "head.weight[1, 4] is -infinity")
        // The same when a campaign is opened: the model without a config was registered before.
        let empty = try Consortium(sites: 1, baseModel: try Self.modelWithoutConfig(consortium))
        let coordinator = try empty.startCoordinator()
        #expect(empty.wait { (try? empty.status())?["consortium"] != nil })
        let opened = try empty.attempt(["campaign", "open", empty.path("operator/plan.toml")] + empty.operatorConfig)
        #expect(opened.status == 5 && opened.error.contains("no config in its metadata"), "\(opened.error)")
        #expect(empty.stop(coordinator) == 0)
    }

    private static func modelWithoutConfig(_ consortium: Consortium) throws -> String {
        let path = consortium.path("without.safetensors")
        let writer = try SafetensorsWriter(path: path, layout: TensorLayout([("w", .f32, [4, 4])]))
        try writer.append([Float](repeating: 0, count: 16))
        try writer.finish()
        return path
    }

    /// The worker reports the reason, sends nothing, and continues.
    @Test func aTrainingThatDivergesIsAProblemWithAReason() throws {
        let consortium = try Consortium(sites: 1, localSteps: 6)
        try consortium.edit("operator/plan.toml", "learning_rate = 0.001", "learning_rate = 1e36")
        let coordinator = try consortium.startCoordinator()
        try consortium.openCampaign()
        let worker = try consortium.startWorker(0)
        #expect(
            consortium.wait { consortium.log("acme-osaka").contains("the training diverged in step") },
            "\(consortium.log("acme-osaka").suffix(1500))"
        )
        #expect(
            consortium.wait(seconds: 10) {
                (try? consortium.attempt(["worker", "status", "--config", consortium.path("acme-osaka/worker.toml")])
                    .output.contains(
                        "learning_rate in the plan"
                    )) == true
            }
        )
        #expect(worker.isRunning && consortium.campaign["updates_accepted"] as? Int == 0)
        _ = consortium.stop(worker)
        #expect(consortium.stop(coordinator) == 0)
    }

    // MARK: The doctor

    @Test func theDoctorSaysByNameWhatDoesNotFitTheCoordinatorsContract() throws {
        let consortium = try Consortium()
        let coordinator = try consortium.startCoordinator()
        #expect(consortium.wait { (try? consortium.status())?["consortium"] != nil })
        func doctor() throws -> Shell.Outcome {
            try consortium.attempt(["worker", "doctor", "--config", consortium.path("acme-osaka/worker.toml")])
        }
        let sound = try doctor()
        #expect(sound.status == 0 && sound.output.contains("they fit the contract for sawyer"), "\(sound.output)")
        for text in [
            "Training demonstrations", "Held-out demonstrations", "Push and open a window", "robot0_eef_pos[2]",
            "gripper",
        ] {
            #expect(sound.output.contains(text), "\(text) is not in \(sound.output)")
        }
        let asked = try consortium.attempt([
            "worker", "doctor", "--config", consortium.path("acme-osaka/worker.toml"), "--json",
        ])
        let report = try #require(
            JSONSerialization.jsonObject(with: Data(asked.output.utf8)) as? [String: Any],
            "\(asked.output)"
        )
        let found = try #require(report["demonstrations"] as? [String: [String: Any]])
        #expect(found["train"]?["demonstrations"] as? Int == 18 && found["valid"]?["demonstrations"] as? Int == 2)
        let instructions = try #require(found["train"]?["instructions"] as? [[String: Any]])
        #expect(instructions.count == 1 && instructions[0]["demonstrations"] as? Int == 18)
        let actions = try #require(found["valid"]?["actions"] as? [[String: Any]])
        #expect(
            actions.map { $0["name"] as? String } == ["x", "y", "z", "gripper"]
                && actions.allSatisfy { $0["outside"] as? Int == 0 }
        )
        #expect(actions.allSatisfy { $0["contract_least"] as? Double == -1 && $0["largest"] as? Double ?? 9 <= 1 })
        try consortium.edit("acme-osaka/worker.toml", "embodiment = \"\"", "embodiment = \"ur5\"")
        let robot = try doctor()
        #expect(
            robot.status == 1 && robot.output.contains("embodiment is ur5, but the contract is for sawyer"),
            "\(robot.output)"
        )
        try consortium.edit("acme-osaka/worker.toml", "embodiment = \"ur5\"", "embodiment = \"\"")
        try consortium.edit(
            "acme-osaka/worker.toml",
            Repository.example("sites/window-open.hdf5"),
            Repository.path("Tests/DemonstrationsTests/Aloha")
        )
        let aloha = try doctor()
        #expect(aloha.status == 1 && aloha.output.contains("embodiment is aloha"), "\(aloha.output)")
        try consortium.edit("acme-osaka/worker.toml", Repository.path("Tests/DemonstrationsTests/Aloha"), "/nowhere")
        #expect(try doctor().output.contains("/nowhere does not exist"))
        #expect(consortium.stop(coordinator) == 0)
    }
}
