import Federation
import Tensors

/// The texts that go with a model: `config.json` and the model card.
enum ModelDescription {
    /// A LeRobot-style configuration; the policy's own shape is under `policy`.
    static func configuration(_ header: SafetensorsHeader) throws -> String {
        guard let text = header[metadata: "config"], let config = try? JSONParser.parse(Array(text.utf8)) else {
            return "{\"type\": \"custom\"}\n"
        }
        let side = config["image"]?.integer ?? 0, chunk = config["chunk"]?.integer ?? 1, actions = config["action_dim"]?.integer ?? 0
        let observation = config["obs"]?.string ?? "state"
        var inputs = ["    \"observation.state\": {\"type\": \"STATE\", \"shape\": [\(observation == "image" ? 4 : 39)]}"]
        if observation != "state" { inputs.append("    \"observation.image\": {\"type\": \"VISUAL\", \"shape\": [3, \(side), \(side)]}") }
        return """
            {
              "type": "kumiai_vla",
              "policy": \(text),
              "chunk_size": \(chunk),
              "n_action_steps": \(chunk),
              "input_features": {
            \(inputs.joined(separator: ",\n"))
              },
              "output_features": {
                "action": {"type": "ACTION", "shape": [\(actions)]}
              },
              "normalization_mapping": {"STATE": "FIXED", "VISUAL": "FIXED", "ACTION": "IDENTITY"}
            }

            """
    }

    static func card(_ lineage: Lineage, parameters: Int) -> String {
        """
        # \(lineage.cutting.name)

        A robot policy of the consortium \(lineage.consortium): \(lineage.base), fine-tuned at \(lineage.sites.count) sites
        without sharing their demonstrations.

        | | |
        |---|---|
        | base | \(lineage.base) (`\(lineage.baseDigest.short)`) |
        | campaign | \(lineage.cutting.campaign), \(lineage.rounds.count) rounds, \(lineage.updateCount) updates |
        | strategy | \(lineage.strategy.name) |
        | sites | \(lineage.sites.map(\.description).joined(separator: ", ")) |
        | parameters | \(parameters) float32 |
        | model | `\(lineage.cutting.model.digest.hex)` |

        ## Files

        - `model.safetensors`: the weights; `config.json`: their shape
        - `lineage.json`: the base, every round and update, and the ledger's tree head
        - `\(ModelSignature.fileName)`: a signature over the digests of these files (OpenSSF Model Signing v1.0)

        ## Check it

            kumiai release show . --verify --ca ca.pem

        ## Use it from Python

            from safetensors.numpy import load_file
            weights = load_file("model.safetensors")

        """
    }
}
