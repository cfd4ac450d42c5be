import ArgumentParser
import Federation

/// What an adapter is, beside its rank.
struct AdapterOptions: ParsableArguments {
    @Option(help: "The adapter's alpha: its scale is alpha / rank.")
    var alpha = 16.0

    @Option(name: .customLong("target"), parsing: .upToNextOption, help: "The modules that get an adapter.")
    var targets = ["qkv", "proj", "fc1", "fc2"]

    func validate() throws {
        guard alpha > 0, alpha.isFinite else { throw ValidationError("--alpha is a positive number") }
        guard !targets.isEmpty else { throw ValidationError("--target names at least one module") }
    }
}
