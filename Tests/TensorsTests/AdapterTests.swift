import Foundation
import TestKit
import Testing

@testable import Tensors

/// Adapters in PEFT's format. `KumiaiCommandsTests/AdapterCommandTests` loads them with PEFT itself.
@Suite struct AdapterTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    static let base = TensorLayout([
        ("m.fc1.weight", .f32, [4, 3]), ("m.fc1.bias", .f32, [4]), ("m.fc2.weight", .f32, [3, 4]),
        ("m.head.weight", .f32, [2, 3]), ("pos", .f32, [5, 3]),
    ])

    func write(_ name: String, _ layout: TensorLayout, _ values: [Float]) throws -> SafetensorsFile {
        let writer = try SafetensorsWriter(path: directory.file(name), layout: layout)
        try writer.append(values)
        try writer.finish()
        return try SafetensorsFile(path: directory.file(name))
    }

    /// A directory with this configuration and these tensors, named without PEFT's prefix.
    func adapter(_ configuration: String, _ tensors: [(String, [Int], [Float])]) throws -> String {
        let path = directory.file("adapter-\(UUID())")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try configuration.write(toFile: path + "/adapter_config.json", atomically: false, encoding: .utf8)
        let layout = TensorLayout(tensors.map { ("base_model.model.\($0.0)", .f32, $0.1) })
        let writer = try SafetensorsWriter(path: path + "/adapter_model.safetensors", layout: layout)
        for tensor in layout.tensors {
            try writer.append(tensors.first { "base_model.model.\($0.0)" == tensor.name }!.2)
        }
        try writer.finish()
        return path
    }

    func merged(_ adapter: String) throws -> [String: [Float]] {
        let base = try write("base", Self.base, [Float](repeating: 1, count: Self.base.elementCount))
        try PEFTAdapter(reading: adapter).merge(into: base, to: directory.file("merged"))
        let file = try SafetensorsFile(path: directory.file("merged"))
        return Dictionary(uniqueKeysWithValues: try file.layout.tensors.map { ($0.name, try file.values(of: $0)) })
    }

    static let fc1: [(String, [Int], [Float])] = [
        ("m.fc1.lora_A.weight", [1, 3], [1, 2, 3]), ("m.fc1.lora_B.weight", [4, 1], [1, 0, 0, 2]),
    ]
    static let plain = #"{"peft_type": "LORA", "r": 1, "lora_alpha": 2}"#

    @Test func targetsAreLastComponentsOrWholeNames() {
        #expect(
            AdapterLayout(base: Self.base, rank: 2, targets: ["fc1", "m.fc2"]).modules.map(\.name) == [
                "m.fc1", "m.fc2",
            ]
        )
        #expect(AdapterLayout(base: Self.base, rank: 2, targets: ["c1", "pos"]).modules.isEmpty)
        #expect(AdapterLayout.unknownTargets(["fc1", "nothing"], in: Self.base) == ["nothing"])
    }

    @Test func whatIsWrittenReadsBackAndMerges() throws {
        let layout = AdapterLayout(base: Self.base, rank: 2, targets: ["fc1", "head"])
        let values = (0..<layout.layout.elementCount).map { Float($0) / 10 }
        try PEFTAdapter.write(
            values,
            of: layout,
            alpha: 3,
            targets: ["fc1", "head"],
            base: "FY2026",
            to: directory.path
        )
        let read = try PEFTAdapter(reading: directory.path)
        #expect(
            read.modules.map(\.name) == ["m.fc1", "m.head"]
                && read.modules.allSatisfy { $0.rank == 2 && $0.scale == 1.5 }
        )
        for (module, place) in zip(read.modules, layout.modules) {
            #expect(module.a == Array(values[place.a]) && module.b == Array(values[place.b]))
        }
    }

    @Test func scaleFollowsAlphaRankAndTheirPatterns() throws {
        func first(_ configuration: String) throws -> Float {
            try merged(adapter(configuration, Self.fc1))["m.fc1.weight"]![0]
        }
        #expect(try first(Self.plain) == 1 + 2)
        #expect(try first(#"{"peft_type": "LORA", "r": 8, "rank_pattern": {"fc1": 1}, "lora_alpha": 2}"#) == 1 + 2)
        #expect(try first(#"{"peft_type": "LORA", "r": 1, "lora_alpha": 2, "alpha_pattern": {"m.fc1": 5}}"#) == 1 + 5)
        let four = Self.fc1.map {
            ($0.0, $0.1.map { $0 == 1 ? 4 : $0 }, $0.2 + [Float](repeating: 0, count: 3 * $0.2.count))
        }
        let stabilised = try adapter(#"{"peft_type": "LORA", "r": 4, "lora_alpha": 6, "use_rslora": true}"#, four)
        #expect(try PEFTAdapter(reading: stabilised).modules[0].scale == 3)
    }

    @Test func modulesToSaveAndBiasesTakeThePlaceOfTheBases() throws {
        let configuration =
            #"{"peft_type": "LORA", "r": 1, "lora_alpha": 2, "modules_to_save": ["head"], "bias": "lora_only"}"#
        let saved = try adapter(
            configuration,
            Self.fc1 + [("m.head.weight", [2, 3], [9, 8, 7, 6, 5, 4]), ("m.fc1.base_layer.bias", [4], [1, 2, 3, 4])]
        )
        let result = try merged(saved)
        #expect(result["m.head.weight"] == [9, 8, 7, 6, 5, 4] && result["m.fc1.bias"] == [1, 2, 3, 4])
        #expect(
            result["m.fc1.weight"] == [3, 5, 7, 1, 1, 1, 1, 1, 1, 5, 9, 13] && result["pos"]!.allSatisfy { $0 == 1 }
        )
    }

    @Test func fanInFanOutTransposes() throws {
        let transposed = try adapter(
            #"{"peft_type": "LORA", "r": 1, "lora_alpha": 1, "fan_in_fan_out": true}"#,
            [("m.fc2.lora_A.weight", [1, 3], [1, 2, 3]), ("m.fc2.lora_B.weight", [4, 1], [1, 0, 0, 0])]
        )
        #expect(try merged(transposed)["m.fc2.weight"] == [2, 1, 1, 1, 3, 1, 1, 1, 4, 1, 1, 1])
    }

    private func refused(_ adapter: String, _ text: String) {
        #expect(performing: { try merged(adapter) }, throws: { "\($0)".contains(text) })
    }

    /// `plain` with one more option.
    private func with(_ option: String) -> String { #"{"peft_type": "LORA", "r": 1, "lora_alpha": 2, \#(option)}"# }

    @Test func whatIsNotUnderstoodIsRefusedByName() throws {
        try refused(adapter(#"{"peft_type": "IA3", "r": 1, "lora_alpha": 1}"#, Self.fc1), "peft_type")
        try refused(
            adapter(#"{"peft_type": "LORA", "r": 2, "lora_alpha": 1}"#, Self.fc1),
            "rank 1, but the configuration says 2"
        )
        try refused(
            adapter(#"{"peft_type": "LORA", "r": 1, "lora_alpha": 1, "rank_pattern": {"fc.*": 1}}"#, Self.fc1),
            "regular expression"
        )
        try refused(adapter(Self.plain, [Self.fc1[0]]), "factors of m.fc1")
        try refused(
            adapter(Self.plain, Self.fc1.map { ($0.0.replacingOccurrences(of: "fc1", with: "fc9"), $0.1, $0.2) }),
            "no m.fc9.weight"
        )
        try refused(
            adapter(
                Self.plain,
                [("m.fc2.lora_A.weight", [1, 3], [1, 2, 3]), ("m.fc2.lora_B.weight", [4, 1], [1, 0, 0, 2])]
            ),
            "has the shape"
        )
        try refused(adapter("[", Self.fc1), "not JSON")
        try refused(
            adapter(Self.plain, Self.fc1 + [("m.fc1.lora_magnitude_vector", [4], [1, 1, 1, 1])]),
            "lora_magnitude_vector"
        )
    }

    /// Options of PEFT's LoraConfig that would change the adapter, and options that a later PEFT may have.
    static let unknown = [
        #""use_dora": true"#, #""use_dora": "true""#, #""use_dora": 1"#, #""use_qalora": true"#, #""lora_bias": true"#,
        #""alora_invocation_tokens": [1, 2]"#,
        #""alora_invocation_tokens": []"#, #""layer_replication": [[0, 1]]"#, #""target_parameters": ["m.fc1.weight"]"#,
        #""trainable_token_indices": [3]"#, #""layers_to_transform": 1"#, #""layers_pattern": "blocks""#,
        #""monteclora_config": {"num_samples": 8}"#,
        #""kasa_config": {"beta": 1}"#, #""velora_config": {"rank": 1}"#, #""use_bdlora": {"blocks": 2}"#,
        #""arrow_config": {"top_k": 3}"#,
        #""megatron_config": {"a": 1}"#, #""corda_config": {"a": 1}"#, #""ensure_weight_tying": true"#,
        #""of_next_year": "on""#, #""of_next_year": 0"#,
        #""use_rslora": 1"#, #""kasa_config": {}"#, #""velora_config": {}"#, #""use_bdlora": {}"#,
        #""layers_to_transform": false"#,
        #""layers_to_transform": {}"#,
        #""trainable_token_indices": false"#, #""of_next_year": false"#, #""use_rslora": "false""#,
        #""fan_in_fan_out": "true""#, #""bias": true"#,
        #""bias": "some""#, #""modules_to_save": "head""#,
        #""target_modules": ".*fc1""#, #""target_modules": "all-linear""#, #""target_modules": 7"#,
        #""exclude_modules": "fc.""#, #""rank_pattern": [1]"#,
        #""alpha_pattern": {"fc1": "2"}"#,
        #""init_lora_weights": "pissa_niter_4""#, #""init_lora_weights": "olora""#, #""init_lora_weights": 1"#,
        #""exclude_modules": ["fc1"]"#,
    ]

    @Test(arguments: unknown) func anOptionThatTheMergeDoesNotHonourIsRefusedByItsName(option: String) throws {
        try refused(adapter(with(option), Self.fc1), String(option.split(separator: "\"")[0]))
    }

    /// A plain adapter as PEFT 0.21 writes it, and as earlier versions wrote it.
    @Test func optionsAtTheirNeutralValuesAreTaken() throws {
        let whole = """
            "alora_invocation_tokens": null, "alpha_pattern": {}, "arrow_config": null, "auto_mapping": \
            {"base_model_class": "P", "parent_library": "p"},
            "base_model_name_or_path": null, "bias": "none", "corda_config": null, "ensure_weight_tying": false, \
            "eva_config": null,
            "exclude_modules": null, "fan_in_fan_out": false, "inference_mode": true, "init_lora_weights": true, \
            "kasa_config": null,
            "layer_replication": null, "layers_pattern": null, "layers_to_transform": null, "loftq_config": {}, \
            "lora_bias": false,
            "lora_dropout": 0.1, "lora_ga_config": null, "megatron_config": null, "megatron_core": "megatron.core", \
            "modules_to_save": null,
            "monteclora_config": null, "peft_version": "0.21.2", "qalora_group_size": 16, "rank_pattern": {}, \
            "revision": null,
            "target_modules": ["fc1"], "target_parameters": null, "task_type": null, "trainable_token_indices": null, \
            "use_bdlora": null,
            "use_dora": false, "use_qalora": false, "use_rslora": false, "velora_config": null, "of_next_year": null
            """
        #expect(try merged(adapter(with(whole), Self.fc1))["m.fc1.weight"]![0] == 3)
        for option in [
            #""init_lora_weights": "gaussian""#, #""init_lora_weights": "eva", "eva_config": {"rho": 2.0}"#,
            #""target_modules": "m.fc1""#,
            #""layers_pattern": []"#,
        ] {
            #expect(try merged(adapter(with(option), Self.fc1))["m.fc1.weight"]![0] == 3, "\(option)")
        }
    }

    @Test func tensorsThatPEFTWouldLeaveOutAreRefused() throws {
        try refused(
            adapter(with(#""target_modules": ["fc2"]"#), Self.fc1),
            "factors for m.fc1, but target_modules does not name it"
        )
        try refused(adapter(with(#""target_modules": "fc1""#), Self.fc1), "target_modules does not name it")
        try refused(adapter(with(#""target_modules": []"#), Self.fc1), "target_modules does not name it")
        try refused(adapter(with(#""modules_to_save": ["m"]"#), Self.fc1), "modules_to_save covers it")
        let head: [(String, [Int], [Float])] = [("m.head.weight", [2, 3], [9, 8, 7, 6, 5, 4])],
            bias: [(String, [Int], [Float])] = [("m.fc1.base_layer.bias", [4], [1, 2, 3, 4])]
        try refused(
            adapter(Self.plain, Self.fc1 + head),
            "m.head.weight, which neither modules_to_save nor bias (none) covers"
        )
        try refused(adapter(Self.plain, Self.fc1 + bias), "m.fc1.bias, which neither")
        let other = try adapter(
            with(#""bias": "lora_only""#),
            [
                ("m.head.lora_A.weight", [1, 3], [1, 2, 3]), ("m.head.lora_B.weight", [2, 1], [1, 0]),
                ("m.fc1.bias", [4], [1, 2, 3, 4]),
            ]
        )
        refused(other, "m.fc1.bias, which neither")
        // PEFT wraps a module with factors, and then does not find a tensor under its former name.
        for name in ["m.fc1.bias", "m.fc1.weight"] {
            try refused(
                adapter(with(#""bias": "all""#), Self.fc1 + bias + [(name, [4], [9, 9, 9, 9])]),
                "it contains both \(name) and factors for m.fc1"
            )
        }
        try refused(
            adapter(with(#""bias": "all""#), Self.fc1 + bias + [("ln.base_layer.bias", [4], [1, 2, 3, 4])]),
            "ln.base_layer.bias"
        )
        #expect(try merged(adapter(with(#""bias": "all""#), Self.fc1 + bias))["m.fc1.bias"] == [1, 2, 3, 4])
    }

    @Test func aSavedModuleOfAnotherShapeIsRefused() throws {
        let transposed = try adapter(
            with(#""modules_to_save": ["head"]"#),
            Self.fc1 + [("m.head.weight", [3, 2], [9, 8, 7, 6, 5, 4])]
        )
        refused(transposed, "m.head.weight has the shape [2, 3]")
    }

    @Test func anAdapterThatLostTensorsIsRefused() throws {
        try refused(adapter(with(#""target_modules": ["fc1", "fc2"]"#), Self.fc1), "target_modules names m.fc2")
        try refused(adapter(with(#""modules_to_save": ["head"]"#), Self.fc1), "modules_to_save covers m.head.weight")
        for bias in ["all", "lora_only"] {
            try refused(adapter(with(#""bias": "\#(bias)""#), Self.fc1), "the adapter lacks m.fc1.bias")
        }
    }

    /// If the configuration does not name its modules, the modules that have factors show which ones must have them.
    @Test func oneOfSeveralModulesOfANameIsMissed() throws {
        let layout = TensorLayout(["a", "b"].map { ("\($0).fc1.weight", .f32, [4, 3]) })
        let half = try adapter(
            Self.plain,
            Self.fc1.map { ($0.0.replacingOccurrences(of: "m.fc1", with: "a.fc1"), $0.1, $0.2) }
        )
        let path = directory.file("two.safetensors")
        let writer = try SafetensorsWriter(path: path, layout: layout, metadata: [])
        try writer.append([Float](repeating: 1, count: 24))
        try writer.finish()
        #expect {
            try PEFTAdapter(reading: half).merge(into: SafetensorsFile(path: path), to: path + ".merged")
        } throws: {
            "\($0)".contains("the adapter has no factors for b.fc1")
        }
    }

    @Test func squareWeightsDoNotSayWhetherTheyAreTransposed() throws {
        let layout = TensorLayout([("m.fc1.weight", .f32, [3, 3])])
        let square = try adapter(
            with(#""fan_in_fan_out": true"#),
            [("m.fc1.lora_A.weight", [1, 3], [1, 2, 3]), ("m.fc1.lora_B.weight", [3, 1], [1, 0, 2])]
        )
        let base = try write("square", layout, [Float](repeating: 1, count: 9))
        #expect { try PEFTAdapter(reading: square).merge(into: base, to: directory.file("merged")) } throws: {
            "\($0)".contains("fan_in_fan_out is true")
        }
    }

    @Test func valuesThatAreNotFiniteAreRefusedAndSaidWhose() throws {
        func refused(_ values: [Float], base first: Float = 1, alpha: String = "2", _ text: String) throws {
            let adapter = try adapter(
                #"{"peft_type": "LORA", "r": 1, "lora_alpha": \#(alpha)}"#,
                [Self.fc1[0], ("m.fc1.lora_B.weight", [4, 1], values)]
            )
            let base = try write("base", Self.base, [first] + [Float](repeating: 1, count: Self.base.elementCount - 1))
            #expect(
                performing: { try PEFTAdapter(reading: adapter).merge(into: base, to: directory.file("merged")) },
                throws: { "\($0)".contains(text) }
            )
        }
        try refused([1, .nan, 0, 0], "adapter_model.safetensors: base_model.model.m.fc1.lora_B.weight[1, 0] is NaN")
        try refused([1, 0, 0, 0], base: .infinity, "base: m.fc1.bias[0] is infinity")
        try refused([1, 0, 0, 2], alpha: "3e38", "the merged model: m.fc1.weight[0, 1] is infinity")
    }
}
