import Contracts
import Tensors

/// A demonstration set as a safetensors file, in which one process passes it to another.
extension DemonstrationSet {
    /// Writes `lengths` (the number of steps of each demonstration), `actions` (samples × chunk × action), and, if the
    /// policy uses them, `state` (samples × state numbers), `words` and `pixels`.
    ///
    /// - Throws: An error if the file cannot be written.
    package func write(to path: String) throws {
        let metadata = [
            (name: "tasks", value: "[\(tasks.map(\.jsonQuoted).joined(separator: ","))]"),
            (name: "summary", value: summary.json),
        ]
        let writer = try SafetensorsWriter(
            path: path,
            layout: Self.layout(configuration, samples: count, demonstrations: demonstrationCount),
            metadata: metadata
        )
        try writer.append(actions)
        try episodes.map { Int32($0.count) }.withUnsafeBytes { try writer.append($0) }
        try writer.append(state)
        try words.withUnsafeBytes { try writer.append($0) }
        try pixels.withUnsafeBytes { try writer.append($0) }
        try writer.finish()
    }

    /// Reads a file that ``write(to:)`` wrote for a policy of this shape.
    ///
    /// - Throws: `ContractError` or `SafetensorsError` if the file is not valid.
    package init(reading path: String, for configuration: PolicyConfiguration) throws {
        self.init(configuration)
        let file = try SafetensorsFile(path: path)
        let samples = file.layout["actions"]?.shape.first ?? 0
        let demonstrations = file.layout["lengths"]?.shape.first ?? 0
        // A sample has at least four bytes, so no product of the shapes can overflow.
        guard (0...max(1, file.layout.byteCount / ElementType.f32.byteCount)).contains(samples),
            (min(1, samples)...samples).contains(demonstrations),
            file.layout == Self.layout(configuration, samples: samples, demonstrations: demonstrations),
            let tasks = file.header[metadata: "tasks"].flatMap({ try? JSONParser.parse(Array($0.utf8)) })?.array,
            let summary = file.header[metadata: "summary"].flatMap(DemonstrationSummary.init(json:)),
            samples > 0 || summary.problem != nil
        else { throw ContractError("\(path) is not a set of demonstrations for this policy") }
        var offset = 0
        func next<Element>(_ count: Int, of zero: Element) throws -> [Element] {
            var values = [Element](repeating: zero, count: count)
            try values.withUnsafeMutableBytes { try file.read(into: $0, at: offset) }
            offset += count * MemoryLayout<Element>.size
            return values
        }
        let c = configuration
        let actions = try next(samples * c.chunk * c.actionCount, of: Float(0))
        let lengths = try next(demonstrations, of: Int32(0)).map { Int($0) }
        guard lengths.allSatisfy({ $0 > 0 }), lengths.reduce(0, +) == samples else {
            throw ContractError("\(path) has demonstrations without samples")
        }
        try take(
            actions: actions,
            state: next(samples * c.stateCount, of: Float(0)),
            words: next(samples * c.words, of: Int32(0)),
            pixels: next(samples * c.patches * c.patchPixels, of: UInt8(0)),
            lengths: lengths,
            tasks: tasks.compactMap(\.string),
            summary: summary
        )
        guard actions.allSatisfy(\.isFinite), state.allSatisfy(\.isFinite),
            words.allSatisfy({ (0..<Int32(c.vocabulary)).contains($0) })
        else {
            throw ContractError("\(path) has values that are not finite, or words outside the vocabulary")
        }
    }

    private static func layout(_ c: PolicyConfiguration, samples: Int, demonstrations: Int) -> TensorLayout {
        var tensors: [(name: String, type: ElementType, shape: [Int])] = [
            ("actions", .f32, [samples, c.chunk, c.actionCount]), ("lengths", .i32, [demonstrations]),
        ]
        if c.usesState { tensors.append(("state", .f32, [samples, c.stateCount])) }
        if c.words > 0 { tensors.append(("words", .i32, [samples, c.words])) }
        if c.usesImages { tensors.append(("pixels", .u8, [samples, c.patches, c.patchPixels])) }
        return TensorLayout(tensors)
    }
}
