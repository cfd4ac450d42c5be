import Federation
import Learning
import Tensors

/// Whether a base model can be trained as a plan wants. What no site could train would stop the campaign in its first round.
package enum PlanFit {
    package static func problems(of plan: Plan, base: SafetensorsFile) -> [PlanProblem] {
        var found: [PlanProblem] = []
        // Of another policy only its own trainer knows what it can do.
        let policy = base.header[metadata: "config"].flatMap { try? PolicyConfiguration(json: $0) }
        if let lora = plan.training.lora { found += problems(of: lora, base.layout, isBuiltIn: policy != nil) }
        if let policy { found += problem("training.batch") { try Batch.check(count: plan.training.batch, policy, hint: "") } }
        return found
    }

    private static func problems(of lora: LoRA, _ base: TensorLayout, isBuiltIn: Bool) -> [PlanProblem] {
        let unknown = AdapterLayout.unknownTargets(lora.targets, in: base)
        guard unknown.isEmpty else {
            return [PlanProblem(key: "lora.targets", message: "the base has no module named \(unknown.joined(separator: ", ")); kumiai policy show names them")]
        }
        let adapter = AdapterLayout(base: base, rank: lora.rank, targets: lora.targets)
        // An update may not be larger than the model: nobody could upload it.
        guard adapter.layout.byteCount < base.byteCount else {
            return [PlanProblem(key: "lora.rank", message: "adapters of rank \(lora.rank) take \(adapter.layout.byteCount) bytes, the base \(base.byteCount)")]
        }
        return isBuiltIn ? problem("lora.targets") { try adapter.checkTrainable() } : []
    }

    private static func problem(_ key: String, _ check: () throws -> Void) -> [PlanProblem] {
        do { try check() } catch {
            let hint = (error as? LearningError)?.hint ?? ""
            return [PlanProblem(key: key, message: "\(error)" + (hint.isEmpty ? "" : "; \(hint)"))]
        }
        return []
    }
}
