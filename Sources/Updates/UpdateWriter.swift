import Federation
import Tensors

extension UpdateFormat {
    /// Writes an update's file; durable when this returns.
    ///
    /// - Parameters:
    ///   - values: in the order of ``TrainedTensors/layout(rank:)``.
    ///   - rank: of a site that trains fewer components than the plan's.
    ///   - origin: whose update this is, and of when. The ledger takes a digest once: without it, two sites whose models
    ///     did not change would have sent the same file.
    /// - Throws: ``UpdateFormatError`` if a value is not finite; what writing throws.
    public func write(_ values: [Float], rank: Int? = nil, origin: String? = nil, to path: String) throws {
        try write(ArrayValues(values), rank: rank, origin: origin) {
            try SafetensorsWriter(path: path, layout: $0, metadata: $1)
        }
    }

    /// The same, from any source to where `open` leads.
    package func write(
        _ values: any ValueSource,
        rank: Int? = nil,
        origin: String? = nil,
        open: (TensorLayout, _ metadata: [(name: String, value: String)]) throws -> SafetensorsWriter
    ) throws {
        let decoded = trained.layout(rank: rank)
        precondition(values.elementCount == decoded.elementCount)
        let encoding = compression.encoding(of: decoded)
        let metadata =
            (origin.map { [(name: Self.originName, value: $0)] } ?? [])
            + (rank.map { [(name: Self.rankName, value: "\($0)")] } ?? [])
        let writer = try open(encoding.layout, metadata)
        try encoding.write(values, to: writer)
        try writer.finish()
    }
}
