import Federation
import Tensors

extension UpdateFormat {
    /// Writes an update's file, which is durable when this returns.
    ///
    /// - Parameters:
    ///   - values: The values in the order of `TrainedTensors.layout(rank:)`.
    ///   - rank: The rank of a site that trains fewer components than the plan's; `nil` for the plan's rank.
    ///   - origin: The site and the round of the update. The ledger accepts a digest only once, and without this the
    ///     files of two sites whose models did not change would be identical.
    ///   - path: The file's path.
    /// - Throws: `UpdateFormatError` if a value is not finite, `SafetensorsWriteError` if the file cannot be written.
    public func write(_ values: [Float], rank: Int? = nil, origin: String? = nil, to path: String) throws {
        try write(ArrayValues(values), rank: rank, origin: origin) {
            try SafetensorsWriter(path: path, layout: $0, metadata: $1)
        }
    }

    /// Writes an update from any source, with the writer that `open` returns.
    ///
    /// - Throws: `UpdateFormatError` if a value is not finite, or an error of the source or of the writer.
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
