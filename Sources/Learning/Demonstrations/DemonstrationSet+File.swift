import Tensors

/// A demonstration set as a safetensors file: how one process hands it to another.
extension DemonstrationSet {
    /// Writes `state` (samples × state numbers), `words`, `actions` (samples × chunk × action) and, with images, `pixels`.
    public func write(to path: String) throws {
        let metadata = [
            (name: "demonstrations", value: "\(demonstrationCount)"),
            (name: "tasks", value: "[\(tasks.map(\.jsonQuoted).joined(separator: ","))]"),
        ]
        let writer = try SafetensorsWriter(path: path, layout: Self.layout(configuration, samples: count), metadata: metadata)
        try writer.append(actions)
        try writer.append(state)
        try words.withUnsafeBytes { try writer.append($0) }
        try pixels.withUnsafeBytes { try writer.append($0) }
        try writer.finish()
    }

    /// Reads what ``write(to:)`` wrote for a policy of this shape.
    public init(reading path: String, for configuration: PolicyConfiguration) throws {
        self.init(configuration)
        let file = try SafetensorsFile(path: path)
        let samples = file.layout["state"]?.shape.first ?? 0
        guard samples > 0, file.layout == Self.layout(configuration, samples: samples),
            let demonstrations = file.header[metadata: "demonstrations"].flatMap(Int.init),
            let tasks = file.header[metadata: "tasks"].flatMap({ try? JSONParser.parse(Array($0.utf8)) })?.array
        else { throw LearningError("\(path) is not a set of demonstrations for this policy") }
        var offset = 0
        func next<Element>(_ count: Int, of zero: Element) throws -> [Element] {
            var values = [Element](repeating: zero, count: count)
            try values.withUnsafeMutableBytes { try file.read(into: $0, at: offset) }
            offset += count * MemoryLayout<Element>.size
            return values
        }
        let c = configuration
        try take(
            actions: next(samples * c.chunk * c.actionCount, of: Float(0)), state: next(samples * c.stateCount, of: Float(0)),
            words: next(samples * c.words, of: Int32(0)), pixels: next(samples * c.patches * c.patchPixels, of: UInt8(0)), count: samples,
            demonstrations: demonstrations, tasks: tasks.compactMap(\.string))
        guard actions.allSatisfy(\.isFinite), state.allSatisfy(\.isFinite), words.allSatisfy({ (0..<Int32(c.vocabulary)).contains($0) }) else {
            throw LearningError("\(path) has values that no demonstration has")
        }
    }

    private static func layout(_ c: PolicyConfiguration, samples: Int) -> TensorLayout {
        var tensors: [(name: String, type: ElementType, shape: [Int])] = [
            ("actions", .f32, [samples, c.chunk, c.actionCount]), ("state", .f32, [samples, c.stateCount]), ("words", .i32, [samples, c.words]),
        ]
        if c.usesImage { tensors.append(("pixels", .u8, [samples, c.patches, c.patchPixels])) }
        return TensorLayout(tensors)
    }
}
