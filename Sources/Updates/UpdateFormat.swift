import Contracts
import Federation
import Tensors

/// What the file of an update looks like: which tensors it changes, and in which form their values are sent.
public struct UpdateFormat: Sendable {
    public let trained: TrainedTensors
    public let compression: Compression

    /// The metadata in which a site says how many components of the adapter it trained.
    static let rankName = "rank"
    /// The metadata that make an update's file its site's and its round's own.
    static let originName = "origin"

    public init(_ trained: TrainedTensors, _ compression: Compression) {
        self.trained = trained
        self.compression = compression
    }

    /// Bytes of an update's file, of a site that trains all of the plan's components.
    public var fileByteCount: Int {
        let file = compression.encoding(of: trained.layout()).layout
        return SafetensorsHeader.encode(file).count + file.byteCount
    }

    /// Opens an update's file.
    ///
    /// - Throws: ``UpdateFormatError`` if it does not have this form.
    public func reader(_ file: SafetensorsFile) throws -> UpdateReader {
        let form = try form(of: file.header)
        return UpdateReader(file: file, layout: form.layout, rank: form.rank, encoding: form.encoding)
    }

    /// What a file with this header holds.
    ///
    /// - Throws: ``UpdateFormatError`` if it does not have this form.
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

/// An update's file has another form than the plan says.
public struct UpdateFormatError: Error, Equatable, Sendable, CustomStringConvertible {
    public let message: String
    public init(_ message: String) { self.message = message }
    public var description: String { message }
}
