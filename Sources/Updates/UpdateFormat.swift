import Federation
import Tensors

/// What the file of an update looks like under a plan: which tensors of which base model it changes, and their
/// encoding.
public struct UpdateFormat: Sendable {
    public let training: Training
    /// Of the base model.
    public let base: TensorLayout
    public let round: Int

    /// The metadata in which a site says how many components of the adapter it trained.
    static let rankName = "rank"
    /// The metadata that make an update's file its site's and its round's own.
    static let originName = "origin"

    public init(_ training: Training, base: TensorLayout, round: Int) {
        self.training = training
        self.base = base
        self.round = round
    }

    /// The factors that sites train in this round; `nil` where the whole model is trained.
    public var factors: AdapterFactors? {
        training.lora.map { lora in
            var factors: AdapterFactors = []
            if lora.trainsA(round: round) { factors.insert(.a) }
            if lora.trainsB(round: round) { factors.insert(.b) }
            return factors
        }
    }

    /// The global adapter, of the plan's rank.
    public var adapter: AdapterLayout? {
        training.lora.map { AdapterLayout(base: base, rank: $0.rank, targets: $0.targets) }
    }

    /// The part of an adapter that an update of a site with this rank changes.
    public func part(rank: Int) -> AdapterLayout? {
        training.lora.map { AdapterLayout(base: base, rank: rank, targets: $0.targets, factors: factors ?? .both) }
    }

    /// The values of an update, decoded; `rank`: of a site that trains fewer components than the plan's.
    public func layout(rank: Int? = nil) -> TensorLayout {
        training.lora.map { part(rank: rank ?? $0.rank)!.layout } ?? base
    }

    /// Bytes of an update's file, of a site that trains all of the plan's components.
    public var fileByteCount: Int {
        let file = training.compression.encoding(of: layout()).layout
        return SafetensorsHeader.encode(file).count + file.byteCount
    }

    /// Opens an update's file; throws where it has not the form that the plan wants.
    public func reader(_ file: SafetensorsFile) throws -> UpdateReader {
        let form = try form(of: file.header)
        return UpdateReader(file: file, layout: form.layout, rank: form.rank, encoding: form.encoding)
    }

    /// What a file with this header holds; throws where it has not the form that the plan wants.
    func form(of header: SafetensorsHeader) throws -> (layout: TensorLayout, rank: Int?, encoding: any UpdateEncoding) {
        let rank = try rank(of: header)
        let layout = layout(rank: rank)
        let encoding = training.compression.encoding(of: layout)
        guard header.layout == encoding.layout else {
            throw UpdateFormatError("the file's tensors are not those of \(description(rank: rank))")
        }
        return (layout, rank, encoding)
    }

    private func rank(of header: SafetensorsHeader) throws -> Int? {
        guard let lora = training.lora else { return nil }
        guard let text = header[metadata: Self.rankName] else { return lora.rank }
        guard let rank = Int(text), (1...lora.rank).contains(rank) else {
            throw UpdateFormatError("the file's rank is not 1 to \(lora.rank), the plan's")
        }
        return rank
    }

    private func description(rank: Int?) -> String {
        let what = rank.map { "an adapter of rank \($0) in round \(round)" } ?? "the base model"
        return training.compression == .none ? what : "\(what), as \(training.compression.name)"
    }
}

/// An update's file that has another form than the plan wants.
public struct UpdateFormatError: Error, Equatable, Sendable, CustomStringConvertible {
    public let message: String
    public init(_ message: String) { self.message = message }
    public var description: String { message }
}
