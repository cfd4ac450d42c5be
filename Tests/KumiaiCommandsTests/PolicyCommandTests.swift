import Contracts
import Policies
import Foundation
import TestKit
import Tensors
import Testing

/// Policies and adapters on the command line, compared with PyTorch and PEFT.
@Suite struct PolicyCommandTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    static let base = Repository.example("base/state.safetensors")
    static let data = Repository.example("sites/window-open.hdf5")

    private func kumiai(_ arguments: String...) throws -> Shell.Outcome { try Shell.run([Shell.kumiai] + arguments) }

    private func json(_ outcome: Shell.Outcome) throws -> [String: Any] {
        try #require(
            JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any],
            "\(outcome.error)"
        )
    }

    /// A model's outputs for the sample inputs, computed here.
    private func outputs(_ model: String) throws -> [Float] {
        let policy = try Policy(SafetensorsFile(path: model))
        var batch = Batch(count: PolicyInputs.samples, policy.configuration)
        (batch.state, batch.words) = (PolicyInputs.state, PolicyInputs.words)
        return PolicyTrainer(policy, batch: batch.count).predict(batch)
    }

    /// The outputs of model and adapter in PyTorch, through PEFT.
    private func outputsInPython(_ model: String, _ adapter: String, merged: String) throws -> [Float] {
        let script = Repository.path("Tests/KumiaiCommandsTests/Python/check_adapter.py")
        let outcome = try Shell.run([
            Shell.python, script, model, adapter, PolicyInputs.write(directory), "--merged", merged,
        ])
        guard outcome.status == 0 else { throw Failed(why: outcome.error) }
        return try JSONDecoder().decode([Float].self, from: Data(outcome.output.utf8))
    }

    struct Failed: Error { let why: String }

    private func expect(_ a: [Float], near b: [Float], within tolerance: Float = 1e-4) {
        let largest = b.map(abs).max() ?? 0
        #expect(a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= tolerance * largest })
    }

    @Test func aSitesOwnAdapterLearnsAndPEFTComputesTheSameWithIt() throws {
        let adapter = directory.file("own"), merged = directory.file("merged.safetensors")
        let tuned = try json(
            kumiai("policy", "tune", Self.base, Self.data, "--rank", "4", "--steps", "60", "--out", adapter, "--json")
        )
        let before = try #require(tuned["error_before"] as? Double),
            after = try #require(tuned["error_after"] as? Double)
        #expect(after < 0.6 * before && tuned["trained_parameters"] as? Int == 18_432)
        let evaluated = try json(kumiai("policy", "evaluate", Self.base, Self.data, "--adapter", adapter, "--json"))
        #expect(abs((evaluated["error"] as? Double ?? 9) - after) < 1e-4)
        #expect(try kumiai("adapter", "merge", Self.base, adapter, "--out", merged).status == 0)
        expect(try outputs(merged), near: try outputsInPython(Self.base, adapter, merged: merged))
        // The base is unchanged.
        #expect(try !outputs(merged).elementsEqual(outputs(Self.base)))
    }

    @Test func anAdapterThatPEFTWroteIsFoldedInAsPEFTDoes() throws {
        let adapter = directory.file("foreign"), merged = directory.file("merged.safetensors")
        let written = try Shell.run([
            Shell.python, Repository.path("Tests/KumiaiCommandsTests/Python/write_adapter.py"), Self.base, adapter,
        ])
        try #require(written.status == 0, "\(written.error)")
        #expect(try kumiai("adapter", "merge", Self.base, adapter, "--out", merged).status == 0)
        expect(try outputs(merged), near: try outputsInPython(Self.base, adapter, merged: merged))
    }

    @Test func aWholeModelIsTunedAndMeasured() throws {
        let model = directory.file("tuned.safetensors")
        let tuned = try json(kumiai("policy", "tune", Self.base, Self.data, "--steps", "60", "--out", model, "--json"))
        #expect((tuned["error_after"] as? Double ?? 9) < 0.6 * (tuned["error_before"] as? Double ?? 0))
        let evaluated = try json(kumiai("policy", "evaluate", model, Self.data, "--json"))
        let executed = try #require(evaluated["executed"] as? [String: Double])
        #expect(Set(executed.keys) == ["x", "y", "z", "gripper"] && executed.values.allSatisfy { $0 > 0 && $0 < 1 })
        let text = try kumiai("policy", "evaluate", model, Self.data)
        #expect(text.status == 0 && text.output.contains("gripper"))
    }

    @Test func aFlowMatchingPolicyOfTwoCamerasLearnsFromALOHA() throws {
        let example = try kumiai("policy", "init")
        var configuration = try PolicyConfiguration(json: example.output)
        #expect(configuration.objective == .flowMatching && configuration.contract.cameras.count == 2)
        (configuration.contract.instruction, configuration.words) = ("", 0)
        for index in configuration.contract.cameras.indices {
            (configuration.contract.cameras[index].height, configuration.contract.cameras[index].width) = (24, 32)
        }
        let config = try directory.write("config.json", Array(configuration.json.utf8)),
            model = directory.file("base.safetensors")
        #expect(try kumiai("policy", "init", config, "--out", model).status == 0)
        let shown = try kumiai("policy", "show", model)
        #expect(
            shown.status == 0 && shown.output.contains("embodiment aloha, 50.0 steps per second")
                && shown.output.contains("left_gripper")
        )
        #expect(try PolicyConfiguration(json: kumiai("policy", "show", model, "--json").output) == configuration)
        let data = Repository.path("Tests/DemonstrationsTests/Aloha"), adapter = directory.file("adapter")
        let tuned = try json(
            kumiai(
                "policy",
                "tune",
                model,
                data,
                "--steps",
                "80",
                "--batch",
                "8",
                "--learning-rate",
                "2e-3",
                "--control-hz",
                "50",
                "--out",
                directory.file("t"),
                "--json"
            )
        )
        #expect((tuned["error_after"] as? Double ?? 9) < 0.7 * (tuned["error_before"] as? Double ?? 0))
        let short = ["policy", "tune", model, data, "--rank", "2", "--steps", "2", "--batch", "4", "--out", adapter]
        // ALOHA files do not contain their rate: a rate that cannot be checked is refused.
        let unsaid = try Shell.run([Shell.kumiai] + short)
        #expect(unsaid.status != 0, "\(unsaid.error)")
        #expect(
            unsaid.error.contains("50.0 steps per second, as the contract requires: ALOHA files do not contain"),
            "\(unsaid.error)"
        )
        #expect(try Shell.run([Shell.kumiai] + short + ["--control-hz", "50"]).status == 0)
    }

    @Test func aCommandThatFailsLeavesWhatStoodThere() throws {
        let base = directory.file("base.safetensors"), adapter = directory.file("adapter"),
            other = directory.file("other.safetensors")
        try FileManager.default.copyItem(atPath: Self.base, toPath: base)
        #expect(
            try kumiai("policy", "tune", base, Self.data, "--rank", "2", "--steps", "2", "--out", adapter).status == 0
        )
        let before = try Data(contentsOf: URL(fileURLWithPath: base))
        // The adapter does not fit this model, and belongs to another one.
        let image = Repository.example("base/image.safetensors")
        let foreign = try kumiai("adapter", "merge", image, adapter, "--out", other)
        #expect(foreign.status == 6 && foreign.error.contains("the adapter belongs to the model"), "\(foreign.error)")
        // A merge may replace its base, but only with a complete file.
        #expect(try kumiai("adapter", "merge", base, adapter, "--out", other).status == 0)
        #expect(try Data(contentsOf: URL(fileURLWithPath: base)) == before)
        #expect(try kumiai("adapter", "merge", base, adapter, "--out", base).status == 6)
        #expect(try Data(contentsOf: URL(fileURLWithPath: base)) == before)
        #expect(try kumiai("adapter", "merge", base, adapter, "--force", "--out", base).status == 0)
        #expect(try Data(contentsOf: URL(fileURLWithPath: base)) == Data(contentsOf: URL(fileURLWithPath: other)))
        // Now it is not the adapter's base any more.
        #expect(try kumiai("policy", "evaluate", base, Self.data, "--adapter", adapter).status == 6)
        let forced = try kumiai("adapter", "merge", base, adapter, "--force", "--out", directory.file("again"))
        #expect(forced.status == 0 && forced.error.contains("the adapter belongs to the model"), "\(forced.error)")
        // A path that cannot be written is reported before hours of training.
        let file = try directory.write("file", [1])
        let blocked = try kumiai(
            "policy",
            "tune",
            Self.base,
            Self.data,
            "--rank",
            "2",
            "--steps",
            "1000000",
            "--out",
            file
        )
        #expect(blocked.status == 6 && blocked.error.contains("cannot create the directory"), "\(blocked.error)")
    }

    @Test func plansSayWhatIsWrongWithAValue() throws {
        let plan = directory.file("operator/plan.toml")
        try Shell.run(["mkdir", "-p", directory.file("operator")])
        #expect(
            try kumiai(
                "campaign",
                "init",
                directory.file("operator"),
                "--coordinator",
                "127.0.0.1:1",
                "--base",
                "A",
                "--release",
                "B",
                "--site",
                "a/b",
                "--lora-rank",
                "8",
                "--compression",
                "topk"
            ).status == 0
        )
        let text = try String(contentsOfFile: plan, encoding: .utf8)
        func problem(_ old: String, _ new: String) throws -> String {
            #expect(text.contains(old))
            try text.replacingOccurrences(of: old, with: new).write(toFile: plan, atomically: false, encoding: .utf8)
            return try kumiai("campaign", "open", plan, "--config", directory.file("operator/operator.toml")).error
        }
        #expect(
            try problem("rank = 8", "rank = \"8\"").contains(
                "lora.rank is a text; expected a whole number: 1 to 1024 (line "
            )
        )
        #expect(try problem("batch = 32", "bacth = 32").contains("training.batch is missing"))
        #expect(
            try problem("fraction = 0.05", "fraction = 0.9").contains(
                "compression.fraction: expected more than 0 and at most 0.25"
            )
        )
        // An integer is accepted in place of a decimal number.
        let whole = try problem("alpha = 16.0", "alpha = 16")
        #expect(!whole.contains("alpha") && whole.contains("certificate"), "\(whole)")
        #expect(text.hasSuffix("\n"))
    }

    @Test func whatIsWrongIsNamed() throws {
        func expect(_ outcome: Shell.Outcome, _ status: Int32, _ text: String) {
            #expect(outcome.status == status && outcome.error.contains(text), "\(outcome.error)")
        }
        try expect(
            kumiai(
                "policy",
                "tune",
                Self.base,
                Repository.path("Tests/DemonstrationsTests/Aloha"),
                "--out",
                directory.file("x")
            ),
            1,
            "embodiment is aloha"
        )
        try expect(
            kumiai(
                "policy",
                "tune",
                Self.base,
                Self.data,
                "--rank",
                "4",
                "--target",
                "word",
                "--out",
                directory.file("x")
            ),
            1,
            "no adapter for word"
        )
        try expect(
            kumiai(
                "policy",
                "tune",
                Self.base,
                Self.data,
                "--rank",
                "4",
                "--target",
                "nothing",
                "--out",
                directory.file("x")
            ),
            6,
            "no module named nothing"
        )
        try expect(
            kumiai(
                "policy",
                "tune",
                Self.base,
                Self.data,
                "--rank",
                "4",
                "--target",
                "qvk",
                "fc1",
                "--out",
                directory.file("x")
            ),
            6,
            "no module named qvk"
        )
        try expect(
            kumiai("adapter", "extract", Self.base, Self.base, "--target", "qvk", "fc1", "--out", directory.file("x")),
            6,
            "no module named qvk"
        )
        try expect(
            kumiai("policy", "tune", Self.base, Self.data, "--target", "fc1", "--out", directory.file("x")),
            64,
            "add --rank"
        )
        try expect(
            kumiai("policy", "init", directory.write("c", Array("{}".utf8)), "--out", directory.file("x")),
            1,
            "another type"
        )
        try expect(
            kumiai("policy", "tune", Self.base, Self.data, "--rank", "4000", "--out", directory.file("x")),
            64,
            "--rank 0 to 1024"
        )
        try expect(
            kumiai("adapter", "merge", Self.base, directory.path, "--out", directory.file("x")),
            6,
            "adapter_config.json"
        )
    }
}
