import Federation
import Tensors

extension UpdateFormat {
    /// Writes an update's file; durable when this returns.
    ///
    /// - Parameters:
    ///   - values: in the order of ``layout(rank:)``, all finite.
    ///   - rank: of a site that trains fewer components than the plan's.
    ///   - origin: whose update this is, and of when. The ledger takes a digest once: without it, two sites whose
    ///     models did not change would have sent the same file.
    public func write(_ values: [Float], rank: Int? = nil, origin: String? = nil, to path: String) throws {
        try write(values, rank: rank, origin: origin) { try SafetensorsWriter(path: path, layout: $0, metadata: $1) }
    }

    /// The same, to wherever `open` leads.
    public func write(
        _ values: [Float],
        rank: Int? = nil,
        origin: String? = nil,
        open: (TensorLayout, _ metadata: [(name: String, value: String)]) throws -> SafetensorsWriter
    ) throws {
        let decoded = layout(rank: rank)
        precondition(values.count == decoded.elementCount)
        guard values.allSatisfy(\.isFinite) else {
            throw UpdateFormatError("the update has values that are not finite: the training diverged")
        }
        let encoding = training.compression.encoding(of: decoded)
        let metadata =
            (origin.map { [(name: Self.originName, value: $0)] } ?? [])
            + (rank.map { [(name: Self.rankName, value: "\($0)")] } ?? [])
        let writer = try open(encoding.layout, metadata)
        try encoding.write(values, to: writer)
        try writer.finish()
    }
}
