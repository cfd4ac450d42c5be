import Federation
import Tensors

/// The texts that accompany a model: `config.json` and the model card.
enum ModelDescription {
    /// A LeRobot-style configuration: the policy's own configuration with `input_features`, `output_features` and
    /// normalisation.
    static func configuration(_ header: SafetensorsHeader) throws -> String {
        guard let text = header[metadata: "config"], let config = try? JSONParser.parse(Array(text.utf8)),
            let contract = config["contract"]
        else {
            return "{\"type\": \"custom\"}\n"
        }
        var inputs: [String] = []
        let state = (contract["state"]?.array ?? []).reduce(0) { $0 + ($1["mean"]?.array?.count ?? 0) }
        if state > 0 { inputs.append("    \"observation.state\": {\"type\": \"STATE\", \"shape\": [\(state)]}") }
        for camera in contract["cameras"]?.array ?? [] {
            let name = "observation.images.\(camera["key"]?.string ?? "")"
            let shape = "[3, \(camera["height"]?.integer ?? 0), \(camera["width"]?.integer ?? 0)]"
            inputs.append("    \(name.jsonQuoted): {\"type\": \"VISUAL\", \"shape\": \(shape)}")
        }
        let actions = contract["action"]?["dimensions"]?.array?.count ?? 0, chunk = config["chunk_size"]?.integer ?? 1
        return """
            {
              "type": \((config["type"]?.string ?? "custom").jsonQuoted),
              "policy": \(text),
              "chunk_size": \(chunk),
              "n_action_steps": \(chunk),
              "input_features": {
            \(inputs.joined(separator: ",\n"))
              },
              "output_features": {
                "action": {"type": "ACTION", "shape": [\(actions)]}
              },
              "normalization_mapping": {"STATE": "MEAN_STD", "VISUAL": "MEAN_STD", "ACTION": "MEAN_STD"}
            }

            """
    }

    /// What is special about how the sites learned.
    private static func learning(_ training: Training, _ compression: Compression) -> String {
        let adapters = training.lora.map { ", adapters of rank \($0.rank) (\($0.aggregation.rawValue))" } ?? ""
        return adapters + (compression == .none ? "" : ", updates in \(compression.name)")
    }

    private static func line(_ adapter: AdapterExtraction, _ lineage: Lineage) -> String {
        """
        - `\(ReleaseDirectory.adapterDirectory)/`: an adapter of rank \(adapter.layout.rank) on \(lineage.base), as \
        PEFT keeps it; it lacks \((100_000 * adapter.discarded).rounded() / 1000) % of the change's energy

        """
    }

    /// - Parameters:
    ///   - lineage: The release's lineage.
    ///   - parameters: The number of parameters.
    ///   - adapter: The adapter that is released beside the model, if any.
    static func card(_ lineage: Lineage, parameters: Int, adapter: AdapterExtraction? = nil) -> String {
        """
        # \(lineage.cutting.name)

        A robot policy of the consortium \(lineage.consortium): \(lineage.base), fine-tuned at \
        \(counted(lineage.sites.count, "site"))
        without sharing their demonstrations.

        | | |
        |---|---|
        | base | \(lineage.base) (`\(lineage.baseDigest.short)`) |
        | campaign | \(lineage.cutting.campaign)\(lineage.cutting.round.map { " up to round \($0)" } ?? ""), \
        \(counted(lineage.rounds.count, "round")), \(counted(lineage.updateCount, "update")) |
        | strategy | \(lineage.strategy.name)\(learning(lineage.training, lineage.compression)) |
        | sites | \(lineage.sites.map(\.description).joined(separator: ", ")) |
        | parameters | \(parameters) float32 |
        | model | `\(lineage.cutting.model.digest.hex)` |

        ## Files

        - `model.safetensors`: the weights; `config.json`: their shape
        - `lineage.json`: the base, every round and update, and the ledger's tree head
        \(adapter.map { Self.line($0, lineage) } ?? "")- `\(ModelSignature.fileName)`: a signature over the digests \
        of these files (OpenSSF Model Signing v1.0)

        ## Check it

            kumiai release show . --verify --ca ca.pem

        ## Use it from Python

            from kumiai_policy import Policy    # Examples/pytorch in Kumiai's repository
            policy = Policy.load("model.safetensors")
            actions = policy.act(state, "open the window", [image])

        """
    }
}
