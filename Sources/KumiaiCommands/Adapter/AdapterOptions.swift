import ArgumentParser
import Federation
import Tensors

/// What an adapter is, beside its rank.
struct AdapterOptions: ParsableArguments {
    @Option(help: "The adapter's alpha: its scale is alpha / rank.")
    var alpha = Self.defaultAlpha

    @Option(
        name: .customLong("target"),
        parsing: .upToNextOption,
        help: "The modules that get an adapter, one after the other: --target qkv fc1."
    )
    var targets = Self.defaultTargets

    /// Far beyond what anybody uses, and such that the factors stay numbers that float32 has.
    private static let alphas = 1e-6...1e6
    private static let defaultAlpha = 16.0
    private static let defaultTargets = ["qkv", "proj", "fc1", "fc2"]
    var isDefault: Bool { alpha == Self.defaultAlpha && targets == Self.defaultTargets }

    /// A misspelt target would go unnoticed beside one that is right.
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
        guard !targets.isEmpty else { throw ValidationError("--target names at least one module") }
    }
}
