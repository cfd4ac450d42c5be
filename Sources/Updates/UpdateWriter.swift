import Federation
import Tensors

extension UpdateFormat {
    /// Writes an update's file; durable when this returns.
    ///
    /// - Parameters:
    ///   - values: in the order of ``layout(rank:)``, all finite.
    ///   - rank: of a site that trains fewer components than the plan's.
    public func write(_ values: [Float], rank: Int? = nil, to path: String) throws {
        try write(values, rank: rank) { try SafetensorsWriter(path: path, layout: $0, metadata: $1) }
    }

    /// The same, to wherever `open` leads.
    public func write(
        _ values: [Float], rank: Int? = nil, open: (TensorLayout, _ metadata: [(name: String, value: String)]) throws -> SafetensorsWriter
    ) throws {
        let decoded = layout(rank: rank)
        precondition(values.count == decoded.elementCount)
        guard values.allSatisfy(\.isFinite) else { throw UpdateFormatError("the update has values that are not finite: the training diverged") }
        let encoding = training.compression.encoding(of: decoded)
        let metadata = rank.map { [(name: Self.rankName, value: "\($0)")] } ?? []
        let writer = try open(encoding.layout, metadata)
        try encoding.write(values, to: writer)
        try writer.finish()
    }
}
