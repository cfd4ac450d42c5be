import Foundation
import Tensors

extension FuzzTarget {
    /// adapter_config.json, and the merge that follows it.
    static let adapters = FuzzTarget(name: "adapters", maximumBytes: 4096) { bytes in
        withFile(bytes) { configuration in
            let directory = configuration + "-adapter", merged = directory + "/merged"
            try? FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: directory) }
            guard let base = try? SafetensorsFile(path: write(base, 1, to: directory + "/base")),
                (try? write(factors, 2, to: directory + "/adapter_model.safetensors")) != nil,
                (try? FileManager.default.copyItem(atPath: configuration, toPath: directory + "/adapter_config.json"))
                    != nil
            else { fatalError("cannot write \(directory)") }
            guard let adapter = try? PEFTAdapter(reading: directory),
                (try? adapter.merge(into: base, to: merged)) != nil
            else { return }
            demand(
                (try? SafetensorsFile(path: merged).checkFinite()) != nil,
                "a merge gave a number that is not finite"
            )
        }
    } seeds: {
        let plain = #"{"peft_type": "LORA", "r": 2, "lora_alpha": 4}"#
        let whole = """
            {"peft_type": "LORA", "r": 8, "lora_alpha": 16, "target_modules": ["fc1"], "rank_pattern": {"m.fc1": 2}, \
            "alpha_pattern": {"fc1": 3.5},
             "use_rslora": true, "fan_in_fan_out": false, "bias": "none", "modules_to_save": null, "exclude_modules": \
             [], "init_lora_weights": "gaussian",
             "loftq_config": {}, "use_dora": false, "alora_invocation_tokens": null, "layers_to_transform": null, \
             "lora_dropout": 0.1}
            """
        return [Array(plain.utf8), Array(whole.utf8)]
    }

    private static let base = TensorLayout([
        (name: "m.fc1.weight", type: .f32, shape: [3, 4]), (name: "m.fc1.bias", type: .f32, shape: [3]),
    ])
    private static let factors = AdapterLayout(base: base, rank: 2, targets: ["fc1"]).layout

    /// Writes a file whose tensors have one value everywhere.
    private static func write(_ layout: TensorLayout, _ value: Float, to path: String) throws -> String {
        let writer = try SafetensorsWriter(path: path, layout: layout)
        try writer.append([Float](repeating: value, count: layout.elementCount))
        try writer.finish()
        return path
    }
}
