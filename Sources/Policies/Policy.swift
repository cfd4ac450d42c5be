import Contracts
import Tensors

/// The built-in vision-language-action policy: a bidirectional transformer encoder over [image patches | words | state
/// | action queries], which predicts a chunk of actions. Cameras, instruction and state are each optional. For flow
/// matching, the queries contain the noisy actions and the time.
///
/// It uses pre-LayerNorm, GELU (tanh) and learned positions. All weights are in one flat buffer in the order of their
/// file, so that an update is one subtraction and an optimiser step is one loop.
package struct Policy: Sendable {
    package let configuration: PolicyConfiguration
    package let layout: TensorLayout
    /// All weights, in the order of the layout.
    package var weights: [Float]

    /// Loads a model's file. Its tensors must be exactly those of its `config`, and all values must be finite.
    ///
    /// - Throws: `ContractError` or `NotFiniteError` if they are not; `SafetensorsError` if the file cannot be read.
    package init(_ file: SafetensorsFile) throws {
        let configuration = try PolicyConfiguration(of: file)
        let weights = try file.float32s()
        try file.layout.checkFinite(weights, called: file.name)
        self.init(configuration, weights: weights)
    }

    package init(_ configuration: PolicyConfiguration, weights: [Float]) {
        self.configuration = configuration
        layout = configuration.layout
        precondition(weights.count == layout.elementCount)
        self.weights = weights
    }

    /// Creates an untrained policy. The weights of linear modules, positions and words are normally distributed with
    /// σ 0.02; σ is 0.1 for the state's weights, and smaller for modules whose output is added to the residual stream.
    package init(_ configuration: PolicyConfiguration, seed: UInt64) {
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
    ///
    /// - Throws: An error if the file cannot be written.
    package func write(to path: String) throws {
        let writer = try SafetensorsWriter(path: path, layout: layout, metadata: [("config", configuration.json)])
        try writer.append(weights)
        try writer.finish()
    }
}
