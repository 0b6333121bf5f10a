"""The ten methods: what each paper measured, the number it printed, and what differs here.

A number stands here only where it was read in the paper's abstract, the authors' code or a public table; where no
table could be read, the row says so instead of quoting from memory.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Method:
    """One row of the report.

    Attributes:
        slug: Folder name of the method, also `method` in its score files.
        name: As the paper calls it.
        paper: Its title.
        arxiv: Identifier, such as "2307.12730".
        venue: Where it appeared.
        question: What is measured, in half a line.
        published: The paper's own number; empty where none could be read.
        published_for: What that number belongs to, or why there is none.
        differs: What is not the same here: data, scale, model; empty until it is measured here.
    """

    slug: str
    name: str
    paper: str
    arxiv: str
    venue: str
    question: str
    published: str
    published_for: str
    differs: str = ""


METHODS = (
    Method(
        slug="fgsm_law",
        name="FGSM-LAW",
        paper="Revisiting and Exploring Efficient Fast Adversarial Training via LAW",
        arxiv="2308.11443",
        venue="T-IFS 2024",
        question="Robust accuracy of classifiers after fast adversarial training",
        published="49.2 % AutoAttack, 56.4 % PGD-50, 81.4 % clean",
        published_for="ResNet-18, CIFAR-10, eps 8/255; row quoted in the authors’ repository",
        differs=(
            "Data: 32 px images composed from real cut-outs (objects32) and MNIST digits instead of CIFAR and Tiny "
            "ImageNet. Scale: minutes of training on a few thousand images. Models: compact networks trained here; the "
            "epoch is chosen on held-out images, not on the test set. The order of the methods is comparable; the size "
            "of a number is not."
        ),
    ),
    Method(
        slug="ares_bench",
        name="ARES-Bench",
        paper="A Comprehensive Study on Robustness of Image Classification Models",
        arxiv="2302.14301",
        venue="IJCV 2025",
        question="Robustness curves over attacks, norms and out-of-distribution sets",
        published="34.1 % AutoAttack, 67.0 % clean",
        published_for="adversarially trained ResNet-50, 1,000 ImageNet images, eps 4/255; ARES 2.0 table",
        differs=(
            "Data: objects32 and MNIST digits instead of ImageNet and its shifted sets. Models: compact networks "
            "trained here instead of 55 published ones. Least radii are searched the same way; the area is our own "
            "addition. The order of the models and the shape of a curve are comparable; the size of a number is not."
        ),
    ),
    Method(
        slug="coco_o",
        name="COCO-O",
        paper="COCO-O: A Benchmark for Object Detectors under Natural Distribution Shifts",
        arxiv="2307.12730",
        venue="ICCV 2023",
        question="Detection AP on six shifted domains, and what is left beyond 0.45 × the source AP",
        published="16.4 % AP, effective robustness −0.41 points",
        published_for="Faster R-CNN R50-FPN, 37.4 % AP on COCO; the abstract states a relative drop of 55.7 %",
        differs=(
            "Data: small scenes composed from real cut-outs, domains drawn or rendered instead of collected; "
            "fewer categories than COCO’s 80. Scale: minutes of training on a few thousand images. Models: compact "
            "detectors trained here. Absolute AP is not comparable; the fall by domain is."
        ),
    ),
    Method(
        slug="imagenet_e",
        name="ImageNet-E",
        paper="ImageNet-E: Benchmarking Neural Network Robustness via Attribute Editing",
        arxiv="2303.17096",
        venue="CVPR 2023",
        question="Fall of top-1 accuracy when background, size, position or direction of the object is edited",
        published="15.72 points, mean of the ten edits",
        published_for="ResNet-50, 92.69 % on the originals; 9.23 points for a background change (abstract)",
        differs=(
            "Data: composed images with exact masks instead of ImageNet-S. Edit: the same complexity objective, "
            "optimised directly; no diffusion prior in the default. Models: classifiers trained here on few "
            "categories. The order of the settings is comparable; the size of a drop only roughly."
        ),
    ),
    Method(
        slug="safe_clip",
        name="SAFE",
        paper="Enhancing Few-shot CLIP with Semantic-Aware Fine-Tuning",
        arxiv="2311.04464",
        venue="preprint 2023",
        question="Few-shot accuracy of CLIP with a fine-tuned attention pooling layer",
        published="",
        published_for="no table of the paper could be read",
        differs=(
            "Data: sets composed from real cut-outs and drawings, in CoOp’s layout, instead of its eleven. Model: a "
            "small CLIP trained here on captioned cut-outs instead of OpenAI’s ResNet-50. Coefficients that the paper "
            "does not print are ours. The order of the methods is comparable; an accuracy is not."
        ),
    ),
    Method(
        slug="wapat",
        name="WAPAT",
        paper="Robust Automatic Speech Recognition via WavAugment Guided Phoneme Adversarial Training",
        arxiv="2307.12498",
        venue="Interspeech 2023",
        question="Word error rate on corrupted and foreign-domain speech",
        published="6.28 % relative reduction of word error rate",
        published_for="SpeechLM on the End-to-end Speech Challenge Benchmark; abstract",
        differs=(
            "Data: telephone prompts by people and sentences of reviews by synthetic voices instead of LibriSpeech and "
            "the eight ESB sets. Scale: minutes of speech, seconds of training. Model: the frozen front of Whisper "
            "tiny.en with a CTC head instead of SpeechLM. The order of the methods is comparable; the size of a rate "
            "is not."
        ),
    ),
    Method(
        slug="transaudio",
        name="TransAudio",
        paper="TransAudio: Towards the Transferable Adversarial Audio Attack via Learning Contextualized Perturbations",
        arxiv="2303.15940",
        venue="ICASSP 2023",
        question="Success rate of word-level attacks carried over to unseen recognisers",
        published="",
        published_for="no table of the paper could be read",
        differs=(
            "Data: telephone prompts in English instead of AISHELL-1 and LibriSpeech. Victims: recognisers on this "
            "machine alone, none of the commercial services. Attack: both stages as the paper describes them, inside "
            "an eps-ball; the released code bounds nothing and skips the second stage of insertions."
        ),
    ),
    Method(
        slug="s_eval",
        name="S-Eval",
        paper="S-Eval: Towards Automated and Comprehensive Safety Evaluation for Large Language Models",
        arxiv="2405.14191",
        venue="ISSTA 2025",
        question="Safety score of language models on base and attack prompts",
        published="88.2 % balanced accuracy in English, 92.2 % in Chinese",
        published_for="the paper’s critique model as judge; table of the authors’ repository",
        differs=(
            "Data: published risk prompts in English, mapped to the taxonomy, instead of S-Eval’s own. Scale: dozens "
            "of prompts; the intervals say how much that is. Victims, testing model and judge: a chat model of 135 "
            "million parameters, the latter two tuned here. The order of victims and attacks is comparable; a score "
            "is not."
        ),
    ),
    Method(
        slug="fairberts",
        name="fairBERTs",
        paper="fairBERTs: Erasing Sensitive Information Through Semantic and Fairness-aware Perturbations",
        arxiv="2407.08189",
        venue="preprint 2024",
        question="Fairness gaps of a text classifier and what protected information is left",
        published="",
        published_for="no table of the paper could be read",
        differs=(
            "Data: short sentences with identity terms and a skew between label and group set on purpose; the paper "
            "names its tasks, not its sets. Model: a small sentence encoder, its lower layers frozen, instead of BERT. "
            "Coefficients are ours. The order of the methods is comparable; the size of a gap is not."
        ),
    ),
    Method(
        slug="iap_face",
        name="IAP",
        paper="Information-containing Adversarial Perturbation for Combating Facial Manipulation Systems",
        arxiv="2303.11625",
        venue="T-IFS 2023",
        question="Faces that resist manipulation and carry a message that can be read back",
        published="",
        published_for="no table of the paper could be read",
        differs=(
            "Data: drawn faces of 64 px with exact attributes instead of CelebA. Manipulators: small editors in the "
            "style of StarGAN, AttGAN and AttentionGAN, trained here, instead of the published ones. No code was "
            "published: shapes, weights and the distortions are ours, the encoder looks at faces through the editors’ "
            "layers too, and ids carry an error-correcting code. The order of the methods is comparable; a rate is not."
        ),
    ),
)
"""All ten, in the order of the report."""
