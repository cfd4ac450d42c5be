import Settings
import Contracts
import Federation
import Tensors

/// Checks whether a base model can be trained as a plan says. A plan that no site can train would stop the campaign in
/// its first round.
package enum PlanCompatibility {
    /// Returns the problems of the plan with this base model. Reads all of it, and throws if it cannot be read.
    package static func problems(of plan: Plan, base: SafetensorsFile) throws -> [SettingProblem] {
        do {
            // The built-in trainer is the only one: a base that it cannot train cannot be trained anywhere.
            let policy = try PolicyConfiguration(of: base)
            try base.checkFinite()
            var found: [SettingProblem] = []
            if let lora = plan.training.lora { found += problems(of: lora, base.layout) }
            found += problem("training.batch") { try Batch.check(count: plan.training.batch, policy, hint: "") }
            return found
        } catch let error where error is ContractError || error is NotFiniteError {
            return [SettingProblem(key: "base", message: "no site can train this model: \(text(error))")]
        }
    }

    /// Returns why no site could train this model under any plan; `nil` if it can be trained. Reads only its header.
    package static func problem(of base: SafetensorsFile) -> String? {
        do {
            _ = try PolicyConfiguration(of: base)
            return nil
        } catch { return text(error) }
    }

    private static func problems(of lora: LoRA, _ base: TensorLayout) -> [SettingProblem] {
        let unknown = AdapterLayout.unknownTargets(lora.targets, in: base)
        guard unknown.isEmpty else {
            return [
                SettingProblem(
                    key: "lora.targets",
                    message:
                        "the base has no module named \(unknown.joined(separator: ", ")); kumiai policy show lists them"
                )
            ]
        }
        let adapter = AdapterLayout(base: base, rank: lora.rank, targets: lora.targets)
        // An update may not be larger than the model, or it could not be uploaded.
        guard adapter.layout.byteCount < base.byteCount else {
            return [
                SettingProblem(
                    key: "lora.rank",
                    message:
                        "adapters of rank \(lora.rank) take \(adapter.layout.byteCount) bytes, the base \(base.byteCount)"
                )
            ]
        }
        return problem("lora.targets") { try adapter.checkTrainable() }
    }

    private static func problem(_ key: String, _ check: () throws -> Void) -> [SettingProblem] {
        do { try check() } catch { return [SettingProblem(key: key, message: text(error))] }
        return []
    }

    /// The reason in the same words as at a site.
    private static func text(_ error: any Error) -> String {
        let hint =
            switch error {
            case let error as ContractError: error.hint
            case let error as NotFiniteError: error.hint
            default: ""
            }
        return "\(error)" + (hint.isEmpty ? "" : "; \(hint)")
    }
}
