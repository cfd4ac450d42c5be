import Coordinator
import Tensors

/// A model that no site can train may be registered; this note warns the operator.
enum UntrainableNote {
    static func print(of model: SafetensorsFile) {
        guard let problem = PlanCompatibility.problem(of: model) else { return }
        Terminal.printNotice("no site can train this model, and no campaign can start from it: \(problem)")
    }
}
