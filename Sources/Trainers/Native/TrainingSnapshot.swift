import Tensors

/// The state of an unfinished training, from which a killed worker resumes.
package struct TrainingSnapshot: Equatable, Sendable {
    /// The number of completed steps.
    package var step: Int
    /// The state of the generator that draws the samples.
    package var generator: UInt64
    package var lossSum: Double
    package var weights: [Float]
    /// AdamW's moments, in the order of the weights.
    package var m: [Float]
    package var v: [Float]

    /// Writes a safetensors file, which is durable when this returns.
    ///
    /// - Parameters:
    ///   - path: The path of the file.
    ///   - task: The name of the training that the snapshot belongs to.
    /// - Throws: An error if the file cannot be written.
    package func write(to path: String, task: String) throws {
        let layout = TensorLayout(
            ["m", "v", "weights"].map { (name: $0, type: ElementType.f32, shape: [weights.count]) }
        )
        // The bit pattern, not decimal digits, so that the loss is exactly the same after resuming.
        let metadata = [
            ("generator", String(generator)), ("loss_sum", String(lossSum.bitPattern)), ("step", String(step)),
            ("task", task),
        ]
        let writer = try SafetensorsWriter(
            path: path,
            layout: layout,
            metadata: metadata.map { (name: $0.0, value: $0.1) }
        )
        for values in [m, v, weights] { try writer.append(values) }
        try writer.finish()
    }

    /// Reads a snapshot; `nil` if it belongs to another training or is not valid.
    ///
    /// - Parameters:
    ///   - path: The path of the file.
    ///   - task: The name of the training that the snapshot must belong to.
    ///   - parameters: The expected number of weights.
    /// - Throws: `SafetensorsError` if the file cannot be read or is not a safetensors file.
    package init?(reading path: String, task: String, parameters: Int) throws {
        let file = try SafetensorsFile(path: path)
        func text(_ name: String) -> String { file.header[metadata: name] ?? "" }
        guard text("task") == task, file.layout.elementCount == 3 * parameters, let step = Int(text("step")), step >= 0,
            let generator = UInt64(text("generator")),
            let lossSum = UInt64(text("loss_sum")).map(Double.init(bitPattern:))
        else { return nil }
        let values = try file.float32s()
        self.init(
            step: step,
            generator: generator,
            lossSum: lossSum,
            weights: Array(values[(2 * parameters)...]),
            m: Array(values[..<parameters]),
            v: Array(values[parameters..<(2 * parameters)])
        )
    }

    init(step: Int, generator: UInt64, lossSum: Double, weights: [Float], m: [Float], v: [Float]) {
        self.step = step
        self.generator = generator
        self.lossSum = lossSum
        self.weights = weights
        self.m = m
        self.v = v
    }
}
