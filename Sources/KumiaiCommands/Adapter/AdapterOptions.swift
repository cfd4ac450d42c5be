import ArgumentParser
import Federation
import Tensors

/// The properties of an adapter except its rank.
struct AdapterOptions: ParsableArguments {
    @Option(help: "The adapter's alpha: its scale is alpha / rank.")
    var alpha = Self.defaultAlpha

    @Option(
        name: .customLong("target"),
        parsing: .upToNextOption,
        help: "The modules that get an adapter, separated by spaces: --target qkv fc1."
    )
    var targets = Self.defaultTargets

    /// Wider than any use needs, and such that float32 can represent the factors.
    private static let alphas = 1e-6...1e6
    private static let defaultAlpha = 16.0
    private static let defaultTargets = ["qkv", "proj", "fc1", "fc2"]
    var isDefault: Bool { alpha == Self.defaultAlpha && targets == Self.defaultTargets }

    /// Otherwise a misspelt target would go unnoticed beside a correct one.
    func check(for base: TensorLayout) throws {
        let unknown = AdapterLayout.unknownTargets(targets, in: base)
        guard unknown.isEmpty else {
            throw UsageError(
                "--target: the model has no module named \(unknown.joined(separator: ", "))",
                hint: "kumiai policy show names them"
            )
        }
    }

    func validate() throws {
        guard Self.alphas.contains(alpha) else { throw ValidationError("--alpha: expected 0.000001 to 1000000") }
        guard !targets.isEmpty else { throw ValidationError("--target: expected at least one module") }
    }
}
