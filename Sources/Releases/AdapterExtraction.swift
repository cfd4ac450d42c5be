import LinearAlgebra
import Tensors

/// The change between two models as an adapter: for each module the best approximation of the given rank, by singular
/// values (Eckart and Young 1936), and the part of the change that it does not represent.
public struct AdapterExtraction: Sendable {
    public let layout: AdapterLayout
    /// The adapter's values, in the order of the layout.
    public let values: [Float]
    public let alpha: Double
    public let targets: [String]
    /// The sum of the squares of all changes, and the fraction of it that the adapter does not represent, from 0 to 1.
    public let energy: Double
    public let discarded: Double

    /// The number of elements of the largest matrix to decompose; the factors need about five times its 8 bytes per
    /// element.
    static let maximumElements = 1 << 27

    /// Extracts the adapter.
    ///
    /// - Parameters:
    ///   - base: The model that the adapter will be applied to.
    ///   - model: The model that base and adapter together approximate, in the same layout.
    ///   - rank: The rank of the adapter.
    ///   - alpha: The numerator of the adapter's scale, alpha / rank.
    ///   - targets: The last components of the names of the modules to adapt.
    /// - Throws: `ReleaseError` if the models or the targets do not fit, or an error of the files.
    public init(from base: SafetensorsFile, to model: SafetensorsFile, rank: Int, alpha: Double, targets: [String])
        throws
    {
        let names = (base.name.isEmpty ? "the base" : base.name, model.name.isEmpty ? "the model" : model.name)
        guard base.layout == model.layout else {
            throw ReleaseError(
                """
                \(names.0) and \(names.1) have different tensors: \
                \(Self.difference(between: base.layout, and: model.layout))
                """
            )
        }
        if let odd = base.layout.tensors.first(where: { $0.type != .f32 }) {
            throw ReleaseError("\(names.0) and \(names.1) have \(odd.name) in \(odd.type.rawValue); expected F32")
        }
        layout = AdapterLayout(base: base.layout, rank: rank, targets: targets)
        guard !layout.modules.isEmpty else {
            throw ReleaseError("no module of the model is named \(targets.joined(separator: ", "))")
        }
        self.alpha = alpha
        self.targets = targets
        var values = [Float](repeating: 0, count: layout.layout.elementCount)
        let modules = Dictionary(uniqueKeysWithValues: layout.modules.map { ("\($0.name).weight", $0) })
        var (energy, kept) = (0.0, 0.0)
        for tensor in base.layout.tensors {
            let (end, start) = (try model.values(of: tensor), try base.values(of: tensor))
            try tensor.checkFinite(start, called: names.0)
            try tensor.checkFinite(end, called: names.1)
            let change = zip(end, start).map { Double($0) - Double($1) }
            energy += change.reduce(0) { $0 + $1 * $1 }
            guard let module = modules[tensor.name] else { continue }
            guard tensor.elementCount <= Self.maximumElements else {
                throw ReleaseError("\(tensor.name) is too large: \(tensor.elementCount) elements")
            }
            kept += try Self.factorise(change, module, rank: rank, scale: alpha / Double(rank), into: &values)
        }
        try layout.layout.checkFinite(values, called: "the adapter")
        self.values = values
        self.energy = energy
        discarded = energy > 0 ? max(0, 1 - kept / energy) : 0
    }

    private static func difference(between base: TensorLayout, and model: TensorLayout) -> String {
        let pair = zip(base.tensors, model.tensors).first { $0 != $1 }
        guard let (one, other) = pair else { return "one has \(base.tensors.count), the other \(model.tensors.count)" }
        return
            """
            \(one.name), \(one.type.rawValue) \(one.shape), in one, and \(other.name), \(other.type.rawValue) \
            \(other.shape), in the other
            """
    }

    /// B = U·√(σ/scale), A = √(σ/scale)·Vᵀ; returns the energy of the components that are kept.
    private static func factorise(
        _ change: [Double],
        _ module: AdapterLayout.Module,
        rank: Int,
        scale: Double,
        into values: inout [Float]
    ) throws -> Double {
        let singular = try SingularValues(of: change, rows: module.outputs, columns: module.inputs)
        let count = singular.values.count, kept = min(rank, count)
        for k in 0..<kept {
            let root = (singular.values[k] / scale).squareRoot()
            for input in 0..<module.inputs {
                values[module.a.lowerBound + k * module.inputs + input] = Float(
                    root * singular.vt[k * module.inputs + input]
                )
            }
            for output in 0..<module.outputs {
                values[module.b.lowerBound + output * rank + k] = Float(root * singular.u[output * count + k])
            }
        }
        return singular.values[..<kept].reduce(0) { $0 + $1 * $1 }
    }

    /// Writes the adapter in PEFT's format.
    ///
    /// - Parameters:
    ///   - directory: The path of the directory, which must exist.
    ///   - base: The base model's name.
    ///   - baseDigest: The SHA-256 of the base model's file in hexadecimal digits.
    /// - Throws: `SafetensorsWriteError` if a file cannot be written.
    public func write(to directory: String, base: String, baseDigest: String) throws {
        try PEFTAdapter.write(
            values,
            of: layout,
            alpha: alpha,
            targets: targets,
            base: base,
            baseDigest: baseDigest,
            to: directory
        )
    }
}
