import Coordinator
import Tensors

/// A model may be registered that nobody can train with what there is now; the operator should know.
enum UntrainableNote {
    static func print(of model: SafetensorsFile) {
        guard let problem = PlanFit.problem(of: model) else { return }
        Terminal.note("no site can train this model, and no campaign can start from it: \(problem)")
    }
}
