import Foundation
import TestKit
import Testing

@testable import Tensors

/// Adapters as PEFT keeps them. `KumiaiCommandsTests/AdapterCommandTests` loads them with PEFT itself.
@Suite struct AdapterTests {
    let directory: TemporaryDirectory
    init() throws { directory = try TemporaryDirectory() }

    static let base = TensorLayout([
        ("m.fc1.weight", .f32, [4, 3]), ("m.fc1.bias", .f32, [4]), ("m.fc2.weight", .f32, [3, 4]), ("m.head.weight", .f32, [2, 3]), ("pos", .f32, [5, 3]),
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
        for tensor in layout.tensors { try writer.append(tensors.first { "base_model.model.\($0.0)" == tensor.name }!.2) }
        try writer.finish()
        return path
    }

    func merged(_ adapter: String) throws -> [String: [Float]] {
        let base = try write("base", Self.base, [Float](repeating: 1, count: Self.base.elementCount))
        try PEFTAdapter(reading: adapter).merge(into: base, to: directory.file("merged"))
        let file = try SafetensorsFile(path: directory.file("merged"))
        return Dictionary(uniqueKeysWithValues: try file.layout.tensors.map { ($0.name, try file.values(of: $0)) })
    }

    static let fc1: [(String, [Int], [Float])] = [("m.fc1.lora_A.weight", [1, 3], [1, 2, 3]), ("m.fc1.lora_B.weight", [4, 1], [1, 0, 0, 2])]
    static let plain = #"{"peft_type": "LORA", "r": 1, "lora_alpha": 2}"#

    @Test func targetsAreLastComponentsOrWholeNames() {
        #expect(AdapterLayout(base: Self.base, rank: 2, targets: ["fc1", "m.fc2"]).modules.map(\.name) == ["m.fc1", "m.fc2"])
        #expect(AdapterLayout(base: Self.base, rank: 2, targets: ["c1", "pos"]).modules.isEmpty)
        #expect(AdapterLayout.unknownTargets(["fc1", "nothing"], in: Self.base) == ["nothing"])
    }

    @Test func whatIsWrittenReadsBackAndMerges() throws {
        let layout = AdapterLayout(base: Self.base, rank: 2, targets: ["fc1", "head"])
        let values = (0..<layout.layout.elementCount).map { Float($0) / 10 }
        try PEFTAdapter.write(values, of: layout, alpha: 3, targets: ["fc1", "head"], base: "FY2026", to: directory.path)
        let read = try PEFTAdapter(reading: directory.path)
        #expect(read.modules.map(\.name) == ["m.fc1", "m.head"] && read.modules.allSatisfy { $0.rank == 2 && $0.scale == 1.5 })
        for (module, place) in zip(read.modules, layout.modules) { #expect(module.a == Array(values[place.a]) && module.b == Array(values[place.b])) }
    }

    @Test func scaleFollowsAlphaRankAndTheirPatterns() throws {
        func first(_ configuration: String) throws -> Float { try merged(adapter(configuration, Self.fc1))["m.fc1.weight"]![0] }
        #expect(try first(Self.plain) == 1 + 2)
        #expect(try first(#"{"peft_type": "LORA", "r": 8, "rank_pattern": {"fc1": 1}, "lora_alpha": 2}"#) == 1 + 2)
        #expect(try first(#"{"peft_type": "LORA", "r": 1, "lora_alpha": 2, "alpha_pattern": {"m.fc1": 5}}"#) == 1 + 5)
        let four = Self.fc1.map { ($0.0, $0.1.map { $0 == 1 ? 4 : $0 }, $0.2 + [Float](repeating: 0, count: 3 * $0.2.count)) }
        let stabilised = try adapter(#"{"peft_type": "LORA", "r": 4, "lora_alpha": 6, "use_rslora": true}"#, four)
        #expect(try PEFTAdapter(reading: stabilised).modules[0].scale == 3)
    }

    @Test func modulesToSaveAndBiasesTakeThePlaceOfTheBases() throws {
        let saved = try adapter(Self.plain, Self.fc1 + [("m.head.weight", [2, 3], [9, 8, 7, 6, 5, 4]), ("m.fc1.bias", [4], [1, 2, 3, 4])])
        let result = try merged(saved)
        #expect(result["m.head.weight"] == [9, 8, 7, 6, 5, 4] && result["m.fc1.bias"] == [1, 2, 3, 4])
        #expect(result["m.fc1.weight"] == [3, 5, 7, 1, 1, 1, 1, 1, 1, 5, 9, 13] && result["pos"]!.allSatisfy { $0 == 1 })
    }

    @Test func fanInFanOutTransposes() throws {
        let transposed = try adapter(
            #"{"peft_type": "LORA", "r": 1, "lora_alpha": 1, "fan_in_fan_out": true}"#,
            [("m.fc2.lora_A.weight", [1, 3], [1, 2, 3]), ("m.fc2.lora_B.weight", [4, 1], [1, 0, 0, 0])])
        #expect(try merged(transposed)["m.fc2.weight"] == [2, 1, 1, 1, 3, 1, 1, 1, 4, 1, 1, 1])
    }

    @Test func whatIsNotUnderstoodIsRefusedByName() throws {
        func refused(_ adapter: String, _ text: String) { #expect { try merged(adapter) } throws: { "\($0)".contains(text) } }
        try refused(adapter(#"{"peft_type": "IA3", "r": 1, "lora_alpha": 1}"#, Self.fc1), "peft_type")
        try refused(adapter(#"{"peft_type": "LORA", "r": 2, "lora_alpha": 1}"#, Self.fc1), "rank 1, the configuration says 2")
        try refused(adapter(#"{"peft_type": "LORA", "r": 1, "lora_alpha": 1, "use_dora": true}"#, Self.fc1), "use_dora")
        try refused(adapter(#"{"peft_type": "LORA", "r": 1, "lora_alpha": 1, "rank_pattern": {"fc.*": 1}}"#, Self.fc1), "regular expression")
        try refused(adapter(Self.plain, [Self.fc1[0]]), "factors of m.fc1")
        try refused(adapter(Self.plain, Self.fc1.map { ($0.0.replacingOccurrences(of: "fc1", with: "fc9"), $0.1, $0.2) }), "no m.fc9.weight")
        try refused(adapter(Self.plain, [("m.fc2.lora_A.weight", [1, 3], [1, 2, 3]), ("m.fc2.lora_B.weight", [4, 1], [1, 0, 0, 2])]), "has the shape")
        try refused(adapter(#"{"peft_type": "LORA", "r": 1, "lora_alpha": 1, "init_lora_weights": "pissa_niter_4"}"#, Self.fc1), "pissa_niter_4")
        try refused(adapter(#"{"peft_type": "LORA", "r": 1, "lora_alpha": 1, "layer_replication": [[0, 1]]}"#, Self.fc1), "layer_replication")
        try refused(adapter("[", Self.fc1), "not JSON")
        try refused(adapter(Self.plain, Self.fc1 + [("m.fc1.lora_magnitude_vector", [4], [1, 1, 1, 1])]), "lora_magnitude_vector")
    }
}
