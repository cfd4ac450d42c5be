import Contracts
import Federation
import Tensors

/// The format of an update's file: which tensors it changes, and how their values are encoded.
public struct UpdateFormat: Sendable {
    public let trained: TrainedTensors
    public let compression: Compression

    /// The metadata key for the number of adapter components that a site trained.
    static let rankName = "rank"
    /// The metadata key that makes an update's file unique to its site and round.
    static let originName = "origin"

    /// Creates the format of a round's updates.
    ///
    /// - Parameters:
    ///   - trained: The tensors that the round trains.
    ///   - compression: How the plan has the changes encoded.
    public init(_ trained: TrainedTensors, _ compression: Compression) {
        self.trained = trained
        self.compression = compression
    }

    /// The size of an update's file from a site that trains all of the plan's components.
    public var fileByteCount: Int {
        let file = compression.encoding(of: trained.layout()).layout
        return SafetensorsHeader.encode(file).count + file.byteCount
    }

    /// Opens an update's file.
    ///
    /// - Parameter file: The update's file.
    /// - Returns: The update's values, decoded as they are read.
    /// - Throws: `UpdateFormatError` if the file's tensors or its rank are not those of this format.
    public func reader(_ file: SafetensorsFile) throws -> UpdateReader {
        let form = try form(of: file.header)
        return UpdateReader(file: file, layout: form.layout, rank: form.rank, encoding: form.encoding)
    }

    /// What a file with this header holds.
    ///
    /// - Throws: `UpdateFormatError` if it does not have this format.
    func form(of header: SafetensorsHeader) throws -> (layout: TensorLayout, rank: Int?, encoding: any UpdateEncoding) {
        let rank = try rank(of: header)
        let layout = trained.layout(rank: rank)
        let encoding = compression.encoding(of: layout)
        guard header.layout == encoding.layout else {
            throw UpdateFormatError("the file's tensors are not those of \(description(rank: rank))")
        }
        return (layout, rank, encoding)
    }

    private func rank(of header: SafetensorsHeader) throws -> Int? {
        guard let lora = trained.lora else { return nil }
        guard let text = header[metadata: Self.rankName] else { return lora.rank }
        guard let rank = Int(text), (1...lora.rank).contains(rank) else {
            throw UpdateFormatError("the file's rank is not 1 to \(lora.rank), the plan's")
        }
        return rank
    }

    private func description(rank: Int?) -> String {
        let what = rank.map { "an adapter of rank \($0) in round \(trained.round)" } ?? "the base model"
        return compression == .none ? what : "\(what), as \(compression.name)"
    }
}

/// An update's file that does not have the format that the plan requires.
public struct UpdateFormatError: Error, Equatable, Sendable, CustomStringConvertible {
    public let message: String
    /// Creates an error.
    ///
    /// - Parameter message: How the file differs from the format.
    public init(_ message: String) { self.message = message }
    public var description: String { message }
}
