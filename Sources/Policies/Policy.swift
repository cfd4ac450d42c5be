import Contracts
import Tensors

/// The built-in vision-language-action policy: one bidirectional transformer encoder over [image patches | words |
/// state | action queries], giving a chunk of actions. Cameras, instruction and state may each be absent; for flow
/// matching the queries carry the noisy actions and the time.
///
/// Pre-LayerNorm, GELU (tanh), learned positions; all weights lie in one flat buffer in the order of their file, so an
/// update is one subtraction and an optimiser step one loop.
public struct Policy: Sendable {
    public let configuration: PolicyConfiguration
    public let layout: TensorLayout
    /// All weights, in the order of the layout.
    public var weights: [Float]

    /// Loads a model's file; its tensors must be exactly those of its `config`, and all numbers finite.
    public init(_ file: SafetensorsFile) throws {
        let configuration = try PolicyConfiguration(of: file)
        let weights = try file.float32s()
        try file.layout.checkFinite(weights, called: file.name)
        self.init(configuration, weights: weights)
    }

    public init(_ configuration: PolicyConfiguration, weights: [Float]) {
        self.configuration = configuration
        layout = configuration.layout
        precondition(weights.count == layout.elementCount)
        self.weights = weights
    }

    /// A fresh policy: linear weights, positions and words normal with σ 0.02, less before the residual stream.
    public init(_ configuration: PolicyConfiguration, seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let residual = Float(2 * configuration.layers).squareRoot()
        var weights: [Float] = []
        for tensor in configuration.layout.tensors {
            var values = [Float](repeating: tensor.name.hasSuffix("weight") ? 1 : 0, count: tensor.elementCount)
            if tensor.shape.count == 2 {
                generator.fillNormal(&values)
                let isResidual = tensor.name.hasSuffix("proj.weight") || tensor.name.hasSuffix("fc2.weight")
                let scale: Float = tensor.name.hasPrefix("state.") ? 0.1 : isResidual ? 0.02 / residual : 0.02
                for index in values.indices { values[index] *= scale }
            }
            weights += values
        }
        self.init(configuration, weights: weights)
    }

    /// Writes the policy as a model file.
    public func write(to path: String) throws {
        let writer = try SafetensorsWriter(path: path, layout: layout, metadata: [("config", configuration.json)])
        try writer.append(weights)
        try writer.finish()
    }
}
